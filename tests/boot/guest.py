# SPDX-License-Identifier: Apache-2.0
"""A guest under `hospes run`, driven through its serial console; and TAP for boot tests."""
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("HOSPES_BUILD", f"{ROOT}/build")
HOSPES = f"{BUILD}/hospes"

# Boots share the machine with whatever else runs there: generous, and only ever waited out in failure.
PATIENCE = 300
LOGIN = rb"login: $"
# What the shell prints when it is ready; terminal control may stand before it.
SHELL = rb"(?:\x1b\[[0-9;?]*[a-z])*hospes-test# $"


class GuestError(Exception):
    pass


class Guest:
    """hospes run with these arguments; ends the VM when the with-block is left."""

    def __init__(self, *args, home=None, hospes=HOSPES):
        env = dict(os.environ)
        if home:
            env["HOSPES_HOME"] = home
        self.command = [hospes, "run", *args]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env)
        self.text = b""
        self.seen = 0
        self.errors = b""
        self.changed = threading.Condition()
        self.open = 2
        self.readers = [threading.Thread(target=self._read, args=(stream, name), daemon=True)
                        for stream, name in ((self.process.stdout, "text"),
                                             (self.process.stderr, "errors"))]
        for reader in self.readers:
            reader.start()

    def _read(self, stream, name):
        while chunk := stream.read1(65536):
            with self.changed:
                setattr(self, name, getattr(self, name) + chunk)
                self.changed.notify_all()
        with self.changed:
            self.open -= 1
            self.changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for reader in self.readers:
            reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()

    def fail(self, what):
        tail = self.text[-1500:].decode(errors="replace")
        raise GuestError(f"{what}; the console's end:\n{tail}\n"
                         f"standard error: {self.errors.decode(errors='replace')}")

    def expect(self, pattern, patience=PATIENCE):
        """Waits for the pattern behind what was matched last; the match."""
        deadline = time.monotonic() + patience
        with self.changed:
            while True:
                match = re.compile(pattern, re.M).search(self.text, self.seen)
                if match:
                    self.seen = match.end()
                    return match
                left = deadline - time.monotonic()
                if left <= 0 or not self.open:
                    break
                self.changed.wait(left)
        return self.fail(f"{pattern!r} did not come" + ("" if self.open else ": the VM has ended"))

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def wait(self, patience=PATIENCE):
        """The exit status of hospes run."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return self.fail("the VM did not end")

    # ---- a shell on the console --------------------------------------------------------

    def login(self, user="root", patience=PATIENCE):
        self.expect(LOGIN, patience)
        self.send(user + "\n")
        self.expect(rb"[#$] $", patience)
        # Two strings, so that the echo of this line does not look like the prompt.
        # The kernel keeps quiet, so that commands' output is theirs alone.
        self.send("dmesg -n 1; stty -echo; bind 'set enable-bracketed-paste off' 2>/dev/null; "
                  "PS1='hospes''-test# '\n")
        self.expect(SHELL)

    def run(self, command, patience=PATIENCE):
        """Runs a shell command: its output, or GuestError with it when it fails."""
        start = self.seen
        self.send(f"{command}; echo status=$?\n")
        match = self.expect(rb"status=(\d+)\s+" + SHELL, patience)
        output = self.text[start:match.start()].decode(errors="replace").replace("\r", "").strip()
        if int(match.group(1)):
            self.fail(f"{shlex.quote(command)} left with status {match.group(1).decode()}:\n{output}")
        return output


class Tap:
    """Steps that build on each other: after the first failure the rest are not run."""

    def __init__(self, *names):
        self.names = list(names)
        self.next = 0
        print(f"1..{len(names)}", flush=True)

    def ok(self, note=""):
        name = self.names[self.next]
        self.next += 1
        print(f"ok {self.next} - {name}" + (f" ({note})" if note else ""), flush=True)

    def fail(self, error):
        for line in str(error).splitlines():
            print(f"# {line}")
        for name in self.names[self.next:]:
            self.next += 1
            print(f"not ok {self.next} - {name}", flush=True)
        sys.exit(1)


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def image_folder():
    """The images of the user's store, with the Debian image built."""
    done = subprocess.run([f"{ROOT}/tools/build-image"], capture_output=True, text=True)
    if done.returncode:
        skip_all("the image cannot be built here: " + done.stderr.strip().splitlines()[-1])
    if "HOSPES_HOME" in os.environ:
        return os.environ["HOSPES_HOME"] + "/images"
    if os.geteuid() == 0:
        return "/var/lib/hospes/images"
    return os.environ.get("XDG_DATA_HOME", os.path.expanduser("~/.local/share")) + "/hospes/images"
