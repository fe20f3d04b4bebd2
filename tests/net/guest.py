# SPDX-License-Identifier: Apache-2.0
"""A guest in a few lines: starts hospes-net and speaks raw Ethernet with it.

Everything waits for a condition with a deadline; nothing sleeps. Every frame that arrives has
its checksums verified, so no test needs to.
"""
import os
import select
import socket
import struct
import subprocess
import time

MAC = bytes.fromhex('525400123456')
GUEST, GATEWAY, DNS = '10.0.2.15', '10.0.2.2', '10.0.2.3'
GUEST6, GATEWAY6, DNS6 = 'fec0::15', 'fec0::2', 'fec0::3'
HDR = 10
DEADLINE = 60.0
NEEDS_CSUM, DATA_VALID = 1, 2
GSO_TCPV4, GSO_TCPV6 = 1, 4
CSUM, TSO4, TSO6 = 1, 2, 4
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


def csum(data, start=0):
    """Folded one's complement sum, not inverted."""
    if len(data) % 2:
        data += b'\0'
    total = start + sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def addr(text):
    family = socket.AF_INET6 if ':' in text else socket.AF_INET
    return socket.inet_pton(family, text)


def pseudo(src, dst, proto, length):
    return csum(src + dst + struct.pack('!HH', proto, length))


class Packet:
    """An IPv4 or IPv6 packet that came from hospes-net, parsed and verified."""

    def __init__(self, frame, header):
        self.header = header
        self.kind = struct.unpack('!H', frame[12:14])[0]
        self.partial = bool(header[0] & NEEDS_CSUM)
        self.gso = header[1]
        self.gso_size = struct.unpack('<H', header[4:6])[0]
        self.size = len(frame)
        self.frame = frame
        self.proto = None
        if self.kind == 0x0800:
            ip = frame[14:]
            size = (ip[0] & 15) * 4
            total = struct.unpack('!H', ip[2:4])[0]
            assert csum(ip[:size]) == 0xffff, 'IPv4 header checksum'
            self.proto, self.src, self.dst = ip[9], ip[12:16], ip[16:20]
            field = struct.unpack('!H', ip[6:8])[0]
            self.ident, self.more, self.offset = ip[4:6], bool(field & 0x2000), (field & 0x1fff) * 8
            self.body = ip[size:total]
        elif self.kind == 0x86dd:
            ip = frame[14:]
            self.proto, self.src, self.dst = ip[6], ip[8:24], ip[24:40]
            self.more, self.offset = False, 0
            self.body = ip[40:40 + struct.unpack('!H', ip[4:6])[0]]
        if self.proto in (6, 17, 58) and not self.more and not self.offset:
            self.verify()
            self.sport, self.dport = struct.unpack('!HH', self.body[:4])
        if self.proto == 17 and not self.more and not self.offset:
            self.data = self.body[8:]
        if self.proto == 6:
            self.seq, self.ack, offset, self.flags, self.window = struct.unpack(
                '!IIBBH', self.body[4:16])
            self.data = self.body[(offset >> 4) * 4:]

    def verify(self):
        start = pseudo(self.src, self.dst, self.proto, len(self.body))
        if self.partial:
            at = 16 if self.proto == 6 else 6
            assert struct.unpack('!H', self.body[at:at + 2])[0] == start, 'partial checksum'
        else:
            assert csum(self.body, start) == 0xffff, 'TCP or UDP checksum'


class Net:
    """A hospes-net process and the guest's end of its socket."""

    def __init__(self, *args, prefix=()):
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(DEADLINE)
        status, told = os.pipe()
        self.proc = subprocess.Popen(
            [*prefix, os.environ['HOSPES_NET'], '--fd', str(theirs.fileno()), '--status', str(told),
             *args], pass_fds=(theirs.fileno(), told), stderr=subprocess.PIPE)
        theirs.close()
        os.close(told)
        with os.fdopen(status) as f:
            self.status = f.readline().strip()
        self.ident = 0
        self.pending = []

    def __enter__(self):
        assert self.status == 'ready', self.status
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """The monitor goes; hospes-net must follow. Returns its exit status."""
        self.sock.close()
        code = self.proc.wait(DEADLINE)
        if not self.proc.stderr.closed:
            with self.proc.stderr as f:
                self.stderr = f.read().decode()
        return code

    # ---- frames

    def send(self, frame, header=bytes(HDR)):
        self.sock.sendall(header + frame)

    def offloads(self, mask):
        self.sock.sendall(struct.pack('<BBHI', 0xff, 1, 0, mask))

    def recv(self):
        message = self.sock.recv(HDR + 66000)
        assert message, 'hospes-net has gone'
        return Packet(message[HDR:], message[:HDR])

    def wait(self, match):
        """The next packet that match() likes; ARP and ND for us are answered on the way."""
        until = time.monotonic() + DEADLINE
        for i, p in enumerate(self.pending):
            if match(p):
                return self.pending.pop(i)
        while time.monotonic() < until:
            p = self.recv()
            if p.kind == 0x0806:
                self.arp(p)
            elif p.proto == 58 and p.body[0] == 135:
                self.neighbour(p)
            if match(p):
                return p
            if p.kind != 0x0806:
                self.pending.append(p)
        raise AssertionError('no such packet in time')

    def arp(self, p):
        op, sha, spa, tpa = p.frame[20:22], p.frame[22:28], p.frame[28:32], p.frame[38:42]
        if op == b'\0\1' and tpa == addr(GUEST):
            self.send(sha + MAC + bytes.fromhex('08060001080006040002') + MAC + tpa + sha + spa)

    def icmp6(self, dst, body):
        sum_ = ~csum(body, pseudo(addr(GUEST6), addr(dst), 58, len(body))) & 0xffff
        self.send(self.ip(dst, 58, body[:2] + struct.pack('!H', sum_) + body[4:]))

    def neighbour(self, p):
        if p.body[8:24] == addr(GUEST6):
            self.icmp6(socket.inet_ntop(socket.AF_INET6, p.src),
                       struct.pack('!BBHI', 136, 0, 0, 6 << 28) + p.body[8:24] + b'\2\1' + MAC)

    def eth(self, kind):
        return b'\x52\x55' + addr(GATEWAY) + MAC + struct.pack('!H', kind)

    def ip(self, dst, proto, body, src=GUEST, frag=0, total=None):
        if ':' in dst:
            src = GUEST6 if src == GUEST else src
            return self.eth(0x86dd) + struct.pack('!IHBB', 6 << 28, len(body), proto, 255) + \
                addr(src) + addr(dst) + body
        self.ident += 1
        ip = struct.pack('!BBHHHBBH', 0x45, 0, total or 20 + len(body), self.ident & 0xffff, frag,
                         64, proto, 0) + addr(src) + addr(dst)
        ip = ip[:10] + struct.pack('!H', ~csum(ip) & 0xffff) + ip[12:]
        return self.eth(0x0800) + ip + body

    # ---- protocols

    def udp(self, dst, dport, data, sport=5000, src=GUEST):
        body = struct.pack('!HHHH', sport, dport, 8 + len(data), 0) + data
        source = addr(GUEST6 if ':' in dst and src == GUEST else src)
        sum_ = ~csum(body, pseudo(source, addr(dst), 17, len(body))) & 0xffff
        self.send(self.ip(dst, 17, body[:6] + struct.pack('!H', sum_ or 0xffff) + body[8:], src))

    def ping(self, dst=GATEWAY, data=b'hospes'):
        """Echo from the gateway; also the barrier: all frames sent before have been looked at."""
        body = struct.pack('!BBHHH', 8, 0, 0, 77, 1) + data
        body = body[:2] + struct.pack('!H', ~csum(body) & 0xffff) + body[4:]
        self.send(self.ip(dst, 1, body))
        p = self.wait(lambda p: p.proto == 1 and p.body[0] == 0 and p.src == addr(dst))
        assert p.body[8:] == data and csum(p.body) == 0xffff
        return p

    def alive(self):
        """Announces our address (which libslirp learns from ARP) and pings."""
        self.send(b'\xff' * 6 + MAC + bytes.fromhex('08060001080006040001') + MAC + addr(GUEST) +
                  bytes(6) + addr(GUEST))
        self.ping()


class Tcp:
    """One TCP connection of the guest; window 65535, in-order data only."""

    def __init__(self, net, dst, dport, sport, mss=1460):
        self.net, self.dst, self.dport, self.sport = net, dst, dport, sport
        self.seq, self.ack, self.mss = 0xfffff000, 0, mss
        self.closed = False

    def segment(self, flags, data=b'', options=b'', urgent=0, header=bytes(HDR), partial=False):
        size = 20 + len(options)
        body = struct.pack('!HHIIBBHHH', self.sport, self.dport, self.seq & 0xffffffff, self.ack,
                           size // 4 << 4, flags, 65535, 0, urgent) + options + data
        source = addr(GUEST6 if ':' in self.dst else GUEST)
        start = pseudo(source, addr(self.dst), 6, len(body))
        sum_ = start if partial else ~csum(body, start) & 0xffff
        self.net.send(self.net.ip(self.dst, 6, body[:16] + struct.pack('!H', sum_) + body[18:]),
                      header)
        self.seq += len(data) + bool(flags & (SYN | FIN))

    def match(self, p):
        return p.proto == 6 and p.sport == self.dport and p.dport == self.sport and \
            p.src == addr(self.dst)

    def next(self):
        p = self.net.wait(self.match)
        if p.flags & RST:
            self.closed = True
        return p

    def connect(self):
        """True, or False when it is refused."""
        self.segment(SYN, options=struct.pack('!BBH', 2, 4, self.mss))
        p = self.next()
        if p.flags & RST:
            return False
        assert p.flags & (SYN | ACK) == SYN | ACK
        self.ack = (p.seq + 1) & 0xffffffff
        self.segment(ACK)
        return True

    def accept(self, syn):
        """Answers a SYN that came in."""
        self.ack = (syn.seq + 1) & 0xffffffff
        self.segment(SYN | ACK, options=struct.pack('!BBH', 2, 4, self.mss))

    def send(self, data, large=False):
        """In segments, or as large ones with partial checksums."""
        step = 40000 if large else self.mss
        l4 = 54 if ':' in self.dst else 34
        header = bytes([NEEDS_CSUM, GSO_TCPV6 if l4 == 54 else GSO_TCPV4]) + \
            struct.pack('<HHHH', l4 + 20, self.mss, l4, 16)
        for at in range(0, len(data), step):
            self.segment(ACK | PSH, data[at:at + step], header=header if large else bytes(HDR),
                         partial=large)
            end = self.seq & 0xffffffff
            while self.next_data().ack != end:
                pass

    def next_data(self):
        """The next segment; its data, when it is what comes next, is kept and acknowledged."""
        p = self.next()
        if p.seq == self.ack and p.data:
            self.got += p.data
            self.ack = (self.ack + len(p.data)) & 0xffffffff
            self.segment(ACK)
        return p

    got = b''

    def read(self, size):
        """size bytes; returns them and the sizes and forms of the frames they came in."""
        frames = []
        while len(self.got) < size:
            p = self.next_data()
            frames.append((p.size, p.gso, p.gso_size, p.header[0]))
        data, self.got = self.got[:size], self.got[size:]
        return data, frames


def server(kind=socket.SOCK_STREAM, host='127.0.0.1'):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, kind)
    s.bind((host, 0))
    s.settimeout(DEADLINE)
    if kind == socket.SOCK_STREAM:
        s.listen(8)
    return s, s.getsockname()[1]


def readable(sock):
    """Whether something waits there now."""
    return bool(select.select([sock], [], [], 0)[0])
