# SPDX-License-Identifier: Apache-2.0
"""A private network in a few lines: starts hospes-switch and speaks raw Ethernet on its ports.

Everything waits for a condition with a deadline. Frames that arrive have their checksums
verified (guest.Packet). That a frame does not arrive is shown by one sent after it that does.
"""
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

from guest import ACK, DEADLINE, HDR, NEEDS_CSUM, Packet, addr, csum, pseudo

ALL = b'\xff' * 6
NET = '10.88.1'
SELF = NET + '.1'
ARP_KIND = bytes.fromhex('000108000604')


def mac(n):
    return bytes.fromhex('5254000000') + bytes([n])


def text(address):
    return socket.inet_ntop(socket.AF_INET6 if len(address) == 16 else socket.AF_INET, address)


def link_local(m):
    return bytes.fromhex('fe80000000000000') + bytes([m[0] ^ 2]) + m[1:3] + b'\xff\xfe' + m[3:]


class Refused(Exception):
    """The switch's sentence."""


class Switch:
    def __init__(self, *args, folder=None, subnet=NET + '.0/24', prefix=(), state=True):
        self.own = None if folder else tempfile.TemporaryDirectory()
        self.folder = folder or self.own.name
        self.path = os.path.join(self.folder, 'socket')
        status, told = os.pipe()
        state = ('--state', self.folder) if state else ()
        self.proc = subprocess.Popen(
            [*prefix, os.environ['HOSPES_SWITCH'], '--socket', self.path, '--subnet', subnet, *state,
             '--status', str(told), *args], pass_fds=(told,), stderr=subprocess.PIPE)
        os.close(told)
        with os.fdopen(status) as f:
            self.status = f.readline().strip()
        self.ports = []

    def __enter__(self):
        assert self.status == 'ready', self.status
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        for port in self.ports:
            port.sock.close()
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        code = self.proc.wait(DEADLINE)
        self.proc.stderr.close()
        if self.own:
            self.own.cleanup()
            self.own = None
        return code

    def child(self):
        """The process id of the switch proper (hospes-net has another name)."""
        for pid in os.listdir('/proc'):
            try:
                with open(f'/proc/{pid}/stat', encoding='ascii') as f:
                    name, rest = f.read().rsplit(')', 1)
            except (OSError, ValueError):
                continue
            if int(rest.split()[1]) == self.proc.pid and name.endswith('(hospes-switch'):
                return int(pid)
        raise AssertionError('no switch process')

    def connect(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.settimeout(DEADLINE)
        sock.connect(self.path)
        return sock

    def port(self, n, name=None):
        port = Port(self.connect(), mac(n), name or f'vm{n}')
        self.ports.append(port)
        return port


class Port:
    def __init__(self, sock, m, name):
        self.sock, self.mac, self.name = sock, m, name
        sock.sendall(b'HSW1' + m + name.encode())
        answer = sock.recv(600)
        if not answer or answer[0]:
            sock.close()
            raise Refused(answer[1:].decode())
        self.ip = answer[1:].decode()
        self.local = link_local(m)
        self.ident = 0
        self.pending = []

    # ---- frames

    def send(self, frame, header=bytes(HDR)):
        self.sock.sendall(header + frame)

    def offloads(self, mask):
        self.sock.sendall(struct.pack('<BBHI', 0xff, 1, 0, mask))

    def recv(self):
        message = self.sock.recv(HDR + 66000)
        assert message, 'the switch has hung up'
        return Packet(message[HDR:], message[:HDR])

    def wait(self, match):
        until = time.monotonic() + DEADLINE
        for i, p in enumerate(self.pending):
            if match(p):
                return self.pending.pop(i)
        while time.monotonic() < until:
            p = self.recv()
            if match(p):
                return p
            self.pending.append(p)
        raise AssertionError('no such packet in time')

    def drain(self):
        """All that is there now."""
        got, self.pending = self.pending, []
        while select.select([self.sock], [], [], 0)[0]:
            got.append(self.recv())
        return got

    def hung_up(self):
        """Waits for the end."""
        while self.sock.recv(70000):
            pass
        return True

    # ---- protocols

    def eth(self, dst, kind, src=None):
        return dst + (src or self.mac) + struct.pack('!H', kind)

    def ip4(self, to, dst, proto, body, src=None, frag=0, m=None):
        self.ident += 1
        ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(body), self.ident & 0xffff, frag, 64, proto,
                         0) + addr(src or self.ip) + addr(dst)
        ip = ip[:10] + struct.pack('!H', ~csum(ip) & 0xffff) + ip[12:]
        return self.eth(to, 0x0800, m) + ip + body

    def ip6(self, to, dst, proto, body, src=None, m=None):
        src = self.local if src is None else src
        if proto == 58:
            sum_ = ~csum(body[:2] + b'\0\0' + body[4:],
                         pseudo(src, dst, 58, len(body))) & 0xffff
            body = body[:2] + struct.pack('!H', sum_) + body[4:]
        return self.eth(to, 0x86dd, m) + struct.pack('!IHBB', 6 << 28, len(body), proto, 255) + \
            src + dst + body

    def udp(self, to, dst, dport, data, sport=5000, src=None, m=None):
        body = struct.pack('!HHHH', sport, dport, 8 + len(data), 0) + data
        sum_ = ~csum(body, pseudo(addr(src or self.ip), addr(dst), 17, len(body))) & 0xffff
        return self.ip4(to, dst, 17, body[:6] + struct.pack('!H', sum_ or 0xffff) + body[8:], src,
                        m=m)

    def tell(self, other, data, **more):
        """A datagram to another port."""
        self.send(self.udp(other.mac, other.ip, 7, data, **more))

    def hears(self, data):
        return self.wait(lambda p: p.proto == 17 and getattr(p, 'data', None) == data and p.dport == 7)

    def arp(self, op, tpa, sha=None, spa=None, to=ALL, src=None, tha=bytes(6)):
        return self.eth(to, 0x0806, src) + ARP_KIND + struct.pack('!H', op) + \
            (sha or self.mac) + addr(spa or self.ip) + tha + addr(tpa)

    def gateway(self):
        """The MAC address of the switch's own host, by ARP."""
        self.send(self.arp(1, SELF))
        p = self.wait(lambda p: p.kind == 0x0806 and p.frame[20:22] == b'\0\2' and
                      p.frame[28:32] == addr(SELF))
        assert p.frame[:6] == self.mac and p.frame[22:28] == p.frame[6:12]
        return p.frame[6:12]

    def ping(self, dst=SELF, to=None):
        body = struct.pack('!BBHHH', 8, 0, 0, 77, 1) + b'hospes'
        body = body[:2] + struct.pack('!H', ~csum(body) & 0xffff) + body[4:]
        self.send(self.ip4(to or self.gateway(), dst, 1, body))
        p = self.wait(lambda p: p.proto == 1 and p.body[0] == 0 and p.src == addr(dst))
        assert p.body[8:] == b'hospes' and csum(p.body) == 0xffff

    def dhcp_message(self, kind, extra=b'', chaddr=None, ciaddr='0.0.0.0', flags=0, op=1):
        return struct.pack('!BBBBIHH', op, 1, 6, 0, 0x1234, 0, flags) + addr(ciaddr) + bytes(12) + \
            (chaddr or self.mac) + bytes(10 + 192) + bytes.fromhex('63825363') + \
            bytes([53, 1, kind]) + extra + b'\xff'

    def dhcp(self, kind, extra=b'', src='0.0.0.0', dst='255.255.255.255', **more):
        """The answer: its packet, the address, the options."""
        self.send(self.udp(ALL if dst[0] == '2' else self.gateway(), dst, 67,
                           self.dhcp_message(kind, extra, **more), 68, src))
        p = self.wait(lambda p: p.proto == 17 and p.sport == 67 and p.dport == 68)
        options, at = {}, 240
        while p.data[at] != 255:
            options[p.data[at]] = p.data[at + 2:at + 2 + p.data[at + 1]]
            at += 2 + p.data[at + 1]
        assert p.data[4:8] == bytes.fromhex('00001234') and p.data[28:34] == self.mac
        return p, p.data[16:20], options

    def question(self, name, kind=1, ident=1):
        labels = b''.join(bytes([len(x)]) + x.encode() for x in name.split('.') if x)
        return struct.pack('!HHHHHH', ident, 0x100, 1, 0, 0, 0) + labels + b'\0' + \
            struct.pack('!HH', kind, 1)

    def ask(self, name, kind=1, sport=4000):
        """The answer's code and its records' data."""
        self.ident += 1
        question = self.question(name, kind, self.ident)
        self.send(self.udp(self.gateway(), SELF, 53, question, sport))
        p = self.wait(lambda p: p.proto == 17 and p.sport == 53 and p.dport == sport and
                      p.data[:2] == question[:2])
        assert p.src == addr(SELF) and p.data[12:len(question)] == question[12:]
        _, flags, _, count = struct.unpack('!HHHH', p.data[:8])
        assert flags & 0x8000
        at, found = len(question), []
        for _ in range(count):
            pointer, kind_, _, _, size = struct.unpack('!HHHIH', p.data[at:at + 12])
            assert pointer == 0xc00c and kind_ == kind
            found.append(p.data[at + 12:at + 12 + size])
            at += 12 + size
        assert at == len(p.data)
        return flags & 15, found

    def tcp(self, other, data, partial=False, header=bytes(HDR), v6=False, flags=ACK):
        body = struct.pack('!HHIIBBHHH', 80, 81, 1000, 2000, 5 << 4, flags, 65535, 0, 0) + data
        src, dst = (self.local, other.local) if v6 else (addr(self.ip), addr(other.ip))
        start = pseudo(src, dst, 6, len(body))
        sum_ = start if partial else ~csum(body, start) & 0xffff
        body = body[:16] + struct.pack('!H', sum_) + body[18:]
        frame = self.ip6(other.mac, dst, 6, body) if v6 else \
            self.ip4(other.mac, other.ip, 6, body)
        self.send(frame, header)

    def large(self, other, data, v6=False):
        """One TCP segment to be cut, with a partial checksum."""
        l4 = 54 if v6 else 34
        header = bytes([NEEDS_CSUM, 4 if v6 else 1]) + \
            struct.pack('<HHHH', l4 + 20, 1400, l4, 16)
        self.tcp(other, data, True, header, v6)
