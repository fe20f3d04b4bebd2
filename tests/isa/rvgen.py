# SPDX-License-Identifier: Apache-2.0
"""Random RISC-V instruction sequences that end, touch only their scratch memory, and use only
what both QEMU 7.2 and the specification agree on.

Left out because QEMU 7.2 departs from the specification: ctzw (it counts into the upper half),
misaligned atomics (its SC does not trap), Zicond, Zicbom, Zicboz, Zawrs (not there), counters
and mstatus (FS is not made dirty by flags alone).
"""
import struct

SCRATCH, SCRATCH_BYTES = 0x80080000, 2048
MIDDLE = SCRATCH + SCRATCH_BYTES // 2
SP, LR_SC_BASE = 2, 8           # always point into the scratch memory, aligned; never written


class Item:
    """One instruction, or a few that belong together; `skip` items are jumped over."""

    def __init__(self, size, encode, skip=None):
        self.size, self.encode, self.skip = size, encode, skip


def word(w):
    return Item(4, lambda off: struct.pack('<I', w & 0xffffffff))


def half(h):
    return Item(2, lambda off: struct.pack('<H', h & 0xffff))


def r_type(op, f3, f7, rd, rs1, rs2):
    return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op


def i_type(op, f3, rd, rs1, imm):
    return (imm & 0xfff) << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op


def s_type(op, f3, rs1, rs2, imm):
    return (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (imm & 31) << 7 | op


def b_type(f3, rs1, rs2, off):
    return ((off >> 12 & 1) << 31 | (off >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
            (off >> 1 & 15) << 8 | (off >> 11 & 1) << 7 | 0x63)


def j_type(rd, off):
    return ((off >> 20 & 1) << 31 | (off >> 1 & 0x3ff) << 21 | (off >> 11 & 1) << 20 |
            (off >> 12 & 0xff) << 12 | rd << 7 | 0x6f)


# (opcode, funct3, funct7) of what takes rd, rs1, rs2
BASE_R = ([(0x33, f3, 0) for f3 in range(8)] + [(0x33, 0, 0x20), (0x33, 5, 0x20)] +
          [(0x3b, f3, 0) for f3 in (0, 1, 5)] + [(0x3b, 0, 0x20), (0x3b, 5, 0x20)])
M_R = [(0x33, f3, 1) for f3 in range(8)] + [(0x3b, f3, 1) for f3 in (0, 4, 5, 6, 7)]
BIT_R = ([(0x33, f3, 0x10) for f3 in (2, 4, 6)] + [(0x3b, f3, 0x10) for f3 in (2, 4, 6)] +
         [(0x3b, 0, 4)] +                                               # Zba
         [(0x33, f3, 0x20) for f3 in (4, 6, 7)] + [(0x33, f3, 5) for f3 in (4, 5, 6, 7)] +
         [(0x33, 1, 0x30), (0x33, 5, 0x30), (0x3b, 1, 0x30), (0x3b, 5, 0x30)] +   # Zbb
         [(0x33, f3, 5) for f3 in (1, 2, 3)] +                          # Zbc
         [(0x33, 1, 0x24), (0x33, 5, 0x24), (0x33, 1, 0x34), (0x33, 1, 0x14)])    # Zbs
# Whole encodings but for rd and rs1
BIT_UNARY = [0x60001013, 0x60101013, 0x60201013, 0x60401013, 0x60501013, 0x6000101b, 0x6020101b,
             0x28705013, 0x6b805013, 0x0800403b]
# (opcode, funct3, upper immediate) of shifts by 6 bits, then by 5
SHIFT6 = [(0x13, 1, 0), (0x13, 5, 0), (0x13, 5, 0x400), (0x13, 5, 0x600), (0x13, 1, 0x480),
          (0x13, 5, 0x480), (0x13, 1, 0x680), (0x13, 1, 0x280), (0x1b, 1, 0x080)]
SHIFT5 = [(0x1b, 1, 0), (0x1b, 5, 0), (0x1b, 5, 0x400), (0x1b, 5, 0x600)]
AMO_OPS = [0, 1, 4, 8, 12, 16, 20, 24, 28]
FP_CODE = {'s': 0, 'd': 1, 'h': 2}
# Encodings that nobody has: (match, bits that may be anything)
ILLEGAL32 = [(0x0000006b, 0xffffff80), (0x00000077, 0xffffff80), (0x0000000b, 0xffffff80),
             (0x0000007b, 0xffffff80), (0x00002063, 0xffff8f80), (0x00001067, 0xffff8f80),
             (0x00007003, 0xffff8f80), (0x00004023, 0xffff8f80), (0x0000203b, 0xfe000f80),
             (0x04000033, 0x01fff000), (0x80000033, 0x3fffff80 & ~0x7000),
             (0x0000402f, 0xffff8f80), (0x06000053, 0x01ffff80), (0xd0900053, 0x000fff80),
             (0x20003053, 0x01ff8f80), (0x02005053, 0x01ff8f80), (0x02006053, 0x01ff8f80),
             (0x00004073, 0xffff8f80)]
ILLEGAL16 = [0x0000, 0x2001, 0x6101, 0x6501, 0x4002, 0x6002, 0x8002, 0x9c41, 0x9c61, 0x8000,
             0x8400, 0x2005, 0x9c45]
CORNERS = [0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 127, 128, 255, 2047, 2048, 0x7fff, 0x8000, 0xffff,
           0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
           0x8000000000000000, 0x8000000000000001, 0xffffffffffffffff, 0xffffffff80000000,
           0xffffffff7fffffff, 0xaaaaaaaaaaaaaaaa, 0x5555555555555555, 0x00ff00ff00ff00ff]
FP_FIELDS = {'h': (16, 10), 's': (32, 23), 'd': (64, 52)}


def fp_value(rng, fmt):
    """A register's contents: boxed specials and neighbours, now and then not boxed"""
    bits, mbits = FP_FIELDS[fmt]
    exponents = (1 << (bits - mbits - 1)) - 1
    kind = rng.randrange(8)
    if kind == 0:
        e = rng.choice([0, exponents])
    elif kind < 5:
        e = exponents // 2 + rng.randrange(-3, 4)
    elif kind == 5:
        e = rng.choice([0, 1, 2, mbits, exponents - 1, exponents // 2 + mbits])
    else:
        e = rng.randrange(exponents + 1)
    m = rng.choice([0, 1, (1 << mbits) - 1, 1 << (mbits - 1), rng.getrandbits(mbits),
                    rng.getrandbits(mbits) & -(1 << mbits // 2)])
    v = rng.getrandbits(1) << (bits - 1) | max(e, 0) << mbits | m
    if bits < 64 and rng.randrange(30):
        v |= (1 << 64) - (1 << bits)
    return v


def int_value(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(CORNERS)
    if kind == 1:
        return (rng.choice(CORNERS) + rng.randrange(-4, 5)) % (1 << 64)
    if kind == 2:
        return rng.getrandbits(rng.randrange(1, 65))
    return -rng.getrandbits(rng.randrange(1, 64)) % (1 << 64)


class Sequence:
    """Registers at the start and the items, made from one random source"""

    def __init__(self, rng, length):
        self.rng = rng
        self.mode = rng.choice([3, 3, 1, 0])
        # A third base register, of any alignment
        self.base = rng.choice([r for r in range(3, 32) if r != LR_SC_BASE])
        self.fixed = {SP, LR_SC_BASE, self.base}
        x = [0] + [int_value(rng) for _ in range(31)]
        x[SP] = MIDDLE - 256 + 16 * rng.randrange(-8, 8)
        x[LR_SC_BASE] = MIDDLE + 8 * rng.randrange(-8, 8)
        x[self.base] = MIDDLE + rng.randrange(-64, 64)
        f = [fp_value(rng, rng.choice('hssddd')) for _ in range(32)]
        fcsr = rng.choice([0, 0, rng.getrandbits(5)]) | rng.choice([0, 1, 2, 3, 4]) << 5
        self.state = x + f + [fcsr]
        self.items = [self.item() for _ in range(length)]

    def item(self):
        kinds, weights = zip(*self.KINDS)
        return getattr(self, self.rng.choices(kinds, weights)[0])()

    # Registers

    def src(self):
        return self.rng.randrange(32)

    def dst(self):
        while True:
            r = self.rng.randrange(32)
            if r not in self.fixed:
                return r

    def csrc(self):
        return self.rng.randrange(8)

    def cdst(self):
        while True:
            r = self.rng.randrange(8)
            if r + 8 not in self.fixed:
                return r

    def memory(self, aligned=1):
        """(base, offset) within the scratch memory"""
        base = self.rng.choice([SP, LR_SC_BASE, self.base])
        return base, self.rng.randrange(-300, 300) // aligned * aligned

    # Kinds of items

    def int_r(self):
        return word(r_type(*self.rng.choice(BASE_R), self.dst(), self.src(), self.src()))

    def mul_r(self):
        return word(r_type(*self.rng.choice(M_R), self.dst(), self.src(), self.src()))

    def bit_r(self):
        return word(r_type(*self.rng.choice(BIT_R), self.dst(), self.src(), self.src()))

    def bit_unary(self):
        return word(self.rng.choice(BIT_UNARY) | self.dst() << 7 | self.src() << 15)

    def int_i(self):
        rng = self.rng
        op, f3 = rng.choice([(0x13, 0), (0x13, 2), (0x13, 3), (0x13, 4), (0x13, 6), (0x13, 7),
                             (0x1b, 0)])
        imm = rng.choice([0, 1, -1, 2047, -2048, rng.randrange(-2048, 2048)])
        return word(i_type(op, f3, self.dst(), self.src(), imm))

    def shift_i(self):
        rng = self.rng
        if rng.randrange(3):
            op, f3, upper = rng.choice(SHIFT6)
            return word(i_type(op, f3, self.dst(), self.src(), upper | rng.randrange(64)))
        op, f3, upper = rng.choice(SHIFT5)
        return word(i_type(op, f3, self.dst(), self.src(), upper | rng.randrange(32)))

    def upper(self):
        return word(self.rng.getrandbits(20) << 12 | self.dst() << 7 |
                    self.rng.choice([0x37, 0x17]))

    def load(self):
        base, off = self.memory(self.rng.choice([1, 8, 8]))
        return word(i_type(0x03, self.rng.randrange(7), self.dst(), base, off))

    def store(self):
        base, off = self.memory(self.rng.choice([1, 8, 8]))
        return word(s_type(0x23, self.rng.randrange(4), base, self.src(), off))

    def fp_load(self):
        base, off = self.memory(self.rng.choice([1, 8, 8]))
        return word(i_type(0x07, self.rng.choice([1, 2, 3, 3]), self.src(), base, off))

    def fp_store(self):
        base, off = self.memory(self.rng.choice([1, 8, 8]))
        return word(s_type(0x27, self.rng.choice([1, 2, 3, 3]), base, self.src(), off))

    def amo(self):
        return word(r_type(0x2f, self.rng.choice([2, 3]),
                           self.rng.choice(AMO_OPS) << 2 | self.rng.randrange(4), self.dst(),
                           LR_SC_BASE, self.src()))

    def lr_sc(self):
        """A pair on one address, with an addition between them, or an SC on its own"""
        rng = self.rng
        width, aqrl = rng.choice([2, 3]), rng.randrange(4)
        sc = r_type(0x2f, width, 3 << 2 | aqrl, self.dst(), LR_SC_BASE, self.src())
        if rng.randrange(4) == 0:
            return word(sc)
        lr = r_type(0x2f, width, 2 << 2 | aqrl, self.dst(), LR_SC_BASE, 0)
        add = r_type(0x33, 0, 0, self.dst(), self.src(), self.src())
        return Item(12, lambda off: struct.pack('<III', lr, add, sc))

    def mode_bits(self):
        return self.rng.choice([0, 1, 2, 3, 4, 7, 7, 7, 7] if self.rng.randrange(20) else [5, 6])

    def fp_arith(self):
        rng = self.rng
        fmt = FP_CODE[rng.choice('sdh')]
        op = rng.choice([0x00, 0x04, 0x08, 0x0c, 0x2c])
        rs2 = 0 if op == 0x2c else self.src()
        return word(r_type(0x53, self.mode_bits(), op | fmt, self.src(), self.src(), rs2))

    def fp_fma(self):
        rng = self.rng
        fmt = FP_CODE[rng.choice('sdh')]
        return word(self.src() << 27 | r_type(rng.choice([0x43, 0x47, 0x4b, 0x4f]),
                                              self.mode_bits(), fmt, self.src(), self.src(),
                                              self.src()))

    def fp_simple(self):
        """Sign injection, minimum, comparison, class: no rounding mode"""
        rng = self.rng
        fmt = FP_CODE[rng.choice('sdh')]
        op, f3 = rng.choice([(0x10, 0), (0x10, 1), (0x10, 2), (0x14, 0), (0x14, 1), (0x50, 0),
                             (0x50, 1), (0x50, 2), (0x70, 1)])
        rd = self.dst() if op >= 0x50 else self.src()
        return word(r_type(0x53, f3, op | fmt, rd, self.src(), 0 if op == 0x70 else self.src()))

    def fp_convert(self):
        rng = self.rng
        fmt = rng.choice('sdh')
        code = FP_CODE[fmt]
        kind = rng.randrange(4)
        if kind == 0:                   # to integer
            return word(r_type(0x53, self.mode_bits(), 0x60 | code, self.dst(), self.src(),
                               rng.randrange(4)))
        if kind == 1:                   # from integer
            return word(r_type(0x53, self.mode_bits(), 0x68 | code, self.src(), self.src(),
                               rng.randrange(4)))
        if kind == 2:                   # between formats
            other = FP_CODE[rng.choice([c for c in 'sdh' if c != fmt])]
            return word(r_type(0x53, self.mode_bits(), 0x20 | code, self.src(), self.src(), other))
        if rng.randrange(2):            # moves
            return word(r_type(0x53, 0, 0x70 | code, self.dst(), self.src(), 0))
        return word(r_type(0x53, 0, 0x78 | code, self.src(), self.src(), 0))

    def csr(self):
        """fflags, frm, fcsr; sscratch (illegal in U-mode); csrrw and the set and clear forms"""
        rng = self.rng
        csr = rng.choice([1, 1, 2, 3, 0x140])
        f3 = rng.choice([2, 3, 5, 6, 7])
        src = rng.choice([0, self.src()]) if f3 < 5 else rng.randrange(32)
        if csr in (2, 3) and rng.randrange(3):  # mostly back to a valid rounding mode
            f3, src, csr = 5, rng.randrange(5), 2
        return word(i_type(0x73, f3, self.dst(), src, csr))

    def fence(self):
        return word(self.rng.choice([0x0ff0000f, 0x0330000f, 0x8330000f, 0x0000100f, 0x0100000f]))

    def branch(self):
        rng = self.rng
        f3, rs1, rs2 = rng.choice([0, 1, 4, 5, 6, 7]), self.src(), self.src()
        return Item(4, lambda off: struct.pack('<I', b_type(f3, rs1, rs2, off)),
                    rng.randrange(1, 7))

    def jal(self):
        rd = self.dst()
        return Item(4, lambda off: struct.pack('<I', j_type(rd, off)), self.rng.randrange(1, 5))

    def jalr(self):
        """auipc of here, then a jump relative to it; an odd target loses its bit 0"""
        base, rd, odd = self.dst() or 1, self.dst(), self.rng.randrange(2)
        if base in self.fixed:
            base = next(r for r in range(9, 32) if r not in self.fixed)
        return Item(8, lambda off: struct.pack('<II', base << 7 | 0x17,
                                               i_type(0x67, 0, rd, base, off + odd)),
                    self.rng.randrange(1, 5))

    def c_branch(self):
        rng = self.rng
        rs, f3 = self.csrc(), rng.choice([5, 6, 6, 7, 7])

        def encode(off):
            if f3 == 5:
                h = (0xa001 | (off >> 11 & 1) << 12 | (off >> 4 & 1) << 11 | (off >> 8 & 3) << 9 |
                     (off >> 10 & 1) << 8 | (off >> 6 & 1) << 7 | (off >> 7 & 1) << 6 |
                     (off >> 1 & 7) << 3 | (off >> 5 & 1) << 2)
            else:
                h = (f3 << 13 | (off >> 8 & 1) << 12 | (off >> 3 & 3) << 10 | rs << 7 |
                     (off >> 6 & 3) << 5 | (off >> 1 & 3) << 3 | (off >> 5 & 1) << 2 | 1)
            return struct.pack('<H', h)
        return Item(2, encode, rng.randrange(1, 6))

    def c_alu(self):
        rng = self.rng
        imm = rng.randrange(64)
        split = (imm >> 5) << 12 | (imm & 31) << 2
        kind = rng.randrange(10)
        if kind == 0:                                           # c.addi, c.nop
            return half(0x0001 | self.dst() << 7 | split)
        if kind == 1:                                           # c.addiw
            return half(0x2001 | (self.dst() or 5) << 7 | split if 5 not in self.fixed else 1)
        if kind == 2:                                           # c.li
            return half(0x4001 | self.dst() << 7 | split)
        if kind == 3:                                           # c.lui
            return half(0x6001 | self.dst() << 7 | (split or 4))
        if kind == 4:                                           # c.slli
            return half(0x0002 | self.dst() << 7 | split)
        if kind == 5:                                           # c.srli, c.srai, c.andi
            return half(0x8001 | rng.randrange(3) << 10 | self.cdst() << 7 | split)
        if kind == 6:                                           # c.sub ... c.addw
            f = rng.choice([0x8c01, 0x8c21, 0x8c41, 0x8c61, 0x9c01, 0x9c21])
            return half(f | self.cdst() << 7 | self.csrc() << 2)
        if kind == 7:                                           # c.mv, c.add
            return half(rng.choice([0x8002, 0x9002]) | self.dst() << 7 | (self.src() or 9) << 2)
        if kind == 8:                                           # c.addi4spn
            return half((rng.randrange(1, 256) << 5) | self.cdst() << 2)
        return half(0x9002)                                     # c.ebreak

    def c_memory(self):
        rng = self.rng
        if rng.randrange(2):                                    # through x8
            f3 = rng.choice([1, 2, 3, 5, 6, 7])
            load_x = f3 in (2, 3)
            reg = self.cdst() if load_x else self.csrc()
            if f3 in (2, 6):
                u = rng.randrange(32)                           # words
                imm = (u >> 1 & 7) << 10 | (u & 1) << 6 | (u >> 4) << 5
            else:
                u = rng.randrange(32)                           # doublewords
                imm = (u & 7) << 10 | (u >> 3) << 5
            return half(f3 << 13 | imm | (LR_SC_BASE - 8) << 7 | reg << 2)
        f3 = rng.choice([1, 2, 3, 5, 6, 7])                     # through sp
        u = rng.randrange(64)
        if f3 in (1, 2, 3):
            reg = self.src() if f3 == 1 else self.dst()
            if reg == 0 and f3 != 1:
                return half(1)
            if f3 == 2:
                imm = (u >> 3 & 1) << 12 | (u & 7) << 4 | (u >> 4 & 3) << 2
            else:
                imm = (u >> 2 & 1) << 12 | (u & 3) << 5 | (u >> 3 & 7) << 2
            return half(f3 << 13 | imm | reg << 7 | 2)
        if f3 == 6:
            imm = (u & 15) << 9 | (u >> 4) << 7
        else:
            imm = (u & 7) << 10 | (u >> 3) << 7
        return half(f3 << 13 | imm | self.src() << 2 | 2)

    def illegal(self):
        rng = self.rng
        if rng.randrange(3) == 0:
            return half(rng.choice(ILLEGAL16))
        match, free = rng.choice(ILLEGAL32)
        return word(match | rng.getrandbits(32) & free & ~match)

    KINDS = [('int_r', 10), ('int_i', 10), ('shift_i', 6), ('upper', 3), ('mul_r', 6),
             ('bit_r', 8), ('bit_unary', 4), ('load', 7), ('store', 6), ('fp_load', 3),
             ('fp_store', 3), ('amo', 4), ('lr_sc', 2), ('fp_arith', 14), ('fp_fma', 6),
             ('fp_simple', 7), ('fp_convert', 9), ('csr', 3), ('fence', 1), ('branch', 5),
             ('jal', 1), ('jalr', 1), ('c_branch', 2), ('c_alu', 10), ('c_memory', 5),
             ('illegal', 1)]

    def code(self, items=None):
        """The bytes of the first `items` items and the ecall that ends them, and its offset"""
        part = self.items[:items]
        starts = [0]
        for item in part:
            starts.append(starts[-1] + item.size)
        out = b''
        for i, item in enumerate(part):
            off = 0
            if item.skip is not None:
                off = starts[min(i + 1 + item.skip, len(part))] - starts[i]
            out += item.encode(off)
        return out + struct.pack('<I', 0x73), starts[-1]
