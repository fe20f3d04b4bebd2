# SPDX-License-Identifier: Apache-2.0
"""What the command-line tests share: TAP, a store of their own, processes with deadlines."""
import contextlib
import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

DEADLINE = 60
BUILD = os.environ.get('HOSPES_BUILD', 'build')
HOSPES = os.path.join(BUILD, 'hospes')
GUESTS = os.environ.get('HOSPES_GUESTS', '')

_tests = []


class Skip(Exception):
    """The test cannot run here; the text says why."""


def test(function):
    """Registers a test; its docstring is its name."""
    _tests.append(function)
    return function


def main():
    """Runs every registered test, each with an empty store; TAP on standard output."""
    print(f'1..{len(_tests)}', flush=True)
    failed = 0
    for number, function in enumerate(_tests, 1):
        name = function.__doc__.splitlines()[0].rstrip('.')
        with tempfile.TemporaryDirectory(prefix='hospes-test-') as folder:
            os.environ['HOSPES_HOME'] = os.path.join(folder, 'store')
            try:
                function(folder)
                print(f'ok {number} - {name}', flush=True)
            except Skip as why:
                print(f'ok {number} - {name} # SKIP {why}', flush=True)
            except Exception:
                failed += 1
                print(f'not ok {number} - {name}')
                for line in traceback.format_exc().splitlines():
                    print(f'# {line}')
                sys.stdout.flush()
    sys.exit(1 if failed else 0)


def check(condition, *what):
    """Fails the test, saying what was seen instead."""
    if not condition:
        raise AssertionError(' | '.join(str(w) for w in what))


def guest(name):
    """Path of a bare-metal program of guests/."""
    if not GUESTS:
        raise Skip('riscv64-linux-gnu-gcc is not installed')
    return os.path.join(GUESTS, name + '.elf')


def rows():
    """{name: id} of the store's database, of VMs that are half made or half removed too."""
    path = os.path.join(os.environ['HOSPES_HOME'], 'store.db')
    if not os.path.exists(path):
        return {}
    with contextlib.closing(sqlite3.connect(path, timeout=DEADLINE)) as database:
        return dict(database.execute('SELECT name, id FROM vms'))


def vm_folder(name='', *parts):
    """Path of a VM's folder, or within it."""
    return os.path.join(os.environ['HOSPES_HOME'], 'vms', rows().get(name, name), *parts)


def vms():
    """Names of the VMs in the store, half-made ones too, and folders that are nobody's."""
    try:
        folders = set(os.listdir(vm_folder())) - {'.lock'}
    except FileNotFoundError:
        folders = set()
    known = rows()
    return sorted([*known, *(folders - set(known.values()))])


def hospes(*args, **kwargs):
    """Runs hospes to its end; returns (exit status, standard output, standard error)."""
    kwargs.setdefault('stdin', subprocess.DEVNULL)
    done = subprocess.run([HOSPES, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=DEADLINE, **kwargs)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def expect(args, status, pattern):
    """hospes with args ends with status, and one sentence that matches on standard error."""
    code, out, err = hospes(*args)
    check(code == status, args, f'exit status {code}, not {status}', err)
    check(not out, args, 'standard output is not empty', out)
    check(re.search(pattern, err), args, f'/{pattern}/ does not match', err)
    check(err.count('\n') == 1, args, 'more or less than one line', err)


def wait_for(condition, what):
    """Polls a condition of the system that nothing announces."""
    end = time.monotonic() + DEADLINE
    pause = select.poll()
    while not condition():
        check(time.monotonic() < end, f'in vain: {what}')
        pause.poll(20)


def alive(pid):
    """True while the process runs; a zombie does not."""
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as f:
            return f.read().rpartition(')')[2].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid):
    """{pid: name} of all processes below pid."""
    found = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
            children = [int(c) for c in f.read().split()]
        for child in children:
            with open(f'/proc/{child}/comm', encoding='utf-8') as f:
                found[child] = f.read().strip()
            found.update(descendants(child))
    return found


class Running:
    """A `hospes run` in the background, with pipes to its console."""

    def __init__(self, *args, stdin=subprocess.PIPE):
        self.process = subprocess.Popen([HOSPES, 'run', *args], stdin=stdin,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.text = {self.process.stdout: b'', self.process.stderr: b''}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _read_until(self, stream, done, what):
        end = time.monotonic() + DEADLINE
        while not done(self.text[stream]):
            ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
            check(ready, f'in vain: {what}', self.text)
            chunk = os.read(stream.fileno(), 65536)
            self.text[stream] += chunk
            if not chunk:
                check(done(self.text[stream]), f'it ended before: {what}', self.text, self.end())
                return

    def out(self, text):
        """Waits until text has appeared on standard output."""
        self._read_until(self.process.stdout, lambda seen: text in seen, f'output {text!r}')

    def err(self, text):
        """Waits until text has appeared on standard error."""
        self._read_until(self.process.stderr, lambda seen: text in seen, f'message {text!r}')

    def type(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def signal(self, number):
        self.process.send_signal(number)

    def family(self):
        """{name: pid} of the processes that run the VM."""
        return {name: pid for pid, name in descendants(self.process.pid).items()}

    def end(self):
        """Waits for its end; returns (exit status, standard error)."""
        status = self.process.wait(DEADLINE)
        while True:
            chunk = os.read(self.process.stderr.fileno(), 65536)
            if not chunk:
                return status, self.text[self.process.stderr].decode()
            self.text[self.process.stderr] += chunk
