# SPDX-License-Identifier: Apache-2.0
"""IEEE 754 arithmetic in exact rational numbers, with the choices RISC-V makes: tininess after
rounding, one canonical NaN, saturating conversions to integers. Slow and plain: an oracle.

Every operation takes and gives encodings as integers and returns (result, flags).
"""
from fractions import Fraction
from math import isqrt

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
RNE, RTZ, RDN, RUP, RMM = range(5)


class Format:
    """A binary interchange format of `bits` bits with `ebits` of exponent."""

    def __init__(self, name, bits, ebits):
        self.name, self.bits, self.ebits = name, bits, ebits
        self.mbits = bits - ebits - 1
        self.bias = (1 << (ebits - 1)) - 1
        self.emin = 1 - self.bias
        self.sign = 1 << (bits - 1)
        self.inf = ((1 << ebits) - 1) << self.mbits
        self.max = self.inf - 1
        self.quiet = 1 << (self.mbits - 1)
        self.nan = self.inf | self.quiet
        self.one = self.bias << self.mbits
        self.min_normal = 1 << self.mbits

    def is_nan(self, x):
        return x & ~self.sign > self.inf

    def is_snan(self, x):
        return self.is_nan(x) and not x & self.quiet

    def is_inf(self, x):
        return x & ~self.sign == self.inf

    def is_zero(self, x):
        return x & ~self.sign == 0

    def value(self, x):
        """The number a finite encoding stands for."""
        e = x >> self.mbits & ((1 << self.ebits) - 1)
        m = x & ((1 << self.mbits) - 1)
        if e:
            m |= 1 << self.mbits
        v = m * Fraction(2) ** (max(e, 1) - self.bias - self.mbits)
        return -v if x & self.sign else v

    def unbox(self, x):
        """What an operand in a 64-bit register is: the canonical NaN unless properly boxed."""
        high = (1 << 64) - (1 << self.bits) if self.bits < 64 else 0
        return x & ((1 << self.bits) - 1) if x & high == high else self.nan

    def box(self, x):
        return x | ((1 << 64) - (1 << self.bits) if self.bits < 64 else 0)


H, S, D = Format('h', 16, 5), Format('s', 32, 8), Format('d', 64, 11)


def log2_floor(v):
    """floor(log2(v)) of a positive fraction"""
    e = v.numerator.bit_length() - v.denominator.bit_length()
    return e if v >= Fraction(2) ** e else e - 1


def round_units(n, rm, negative):
    """A positive fraction to an integer: (integer, inexact)"""
    q, r = divmod(n.numerator, n.denominator)
    if not r:
        return q, False
    half = 2 * r - n.denominator
    up = {RNE: half > 0 or (half == 0 and q & 1), RTZ: False, RDN: negative,
          RUP: not negative, RMM: half >= 0}[rm]
    return q + int(up), True


def encode(f, v, rm, zero_sign=0):
    """Round a fraction into the format; an exact zero gets zero_sign (0 or f.sign)."""
    if v == 0:
        return zero_sign, 0
    negative = v < 0
    sign = f.sign if negative else 0
    v = abs(v)
    e = log2_floor(v)
    unit = Fraction(2) ** (max(e, f.emin) - f.mbits)
    n, inexact = round_units(v / unit, rm, negative)
    flags = NX if inexact else 0
    if e < f.emin:
        # Tiny after rounding: as if the exponent range had no end
        m, _ = round_units(v / Fraction(2) ** (e - f.mbits), rm, negative)
        if inexact and m * Fraction(2) ** (e - f.mbits) < Fraction(2) ** f.emin:
            flags |= UF
        return sign | n, flags          # a carry into the exponent is the minimal normal
    # n counts units of 2^(e - mbits); adding it to the exponent field carries as needed
    result = ((e + f.bias - 1) << f.mbits) + n
    if result >= f.inf:
        away = rm in (RNE, RMM) or rm == (RDN if negative else RUP)
        return sign | (f.inf if away else f.max), OF | NX
    return sign | result, flags


def nan_result(f, *operands):
    return f.nan, NV if any(f.is_snan(x) for x in operands) else 0


def add(f, a, b, rm):
    return fma(f, a, f.one, b, rm)


def sub(f, a, b, rm):
    return nan_result(f, a, b) if f.is_nan(b) else add(f, a, b ^ f.sign, rm)


def mul(f, a, b, rm):
    if f.is_nan(a) or f.is_nan(b):
        return nan_result(f, a, b)
    sign = (a ^ b) & f.sign
    if f.is_inf(a) or f.is_inf(b):
        return (f.nan, NV) if f.is_zero(a) or f.is_zero(b) else (sign | f.inf, 0)
    return encode(f, f.value(a) * f.value(b), rm, sign)


def div(f, a, b, rm):
    if f.is_nan(a) or f.is_nan(b):
        return nan_result(f, a, b)
    sign = (a ^ b) & f.sign
    if f.is_inf(a):
        return (f.nan, NV) if f.is_inf(b) else (sign | f.inf, 0)
    if f.is_inf(b):
        return sign, 0
    if f.is_zero(b):
        return (f.nan, NV) if f.is_zero(a) else (sign | f.inf, DZ)
    return encode(f, f.value(a) / f.value(b), rm, sign)


def sqrt(f, a, rm):
    if f.is_nan(a):
        return nan_result(f, a)
    if f.is_zero(a):
        return a, 0
    if a & f.sign:
        return f.nan, NV
    if f.is_inf(a):
        return a, 0
    v = f.value(a)
    # The root in units of 2^-k, far below half a unit of the result, with a sticky bit
    k = 2 * f.bias + 2 * f.mbits
    n = v * 4 ** k
    assert n.denominator == 1
    root = isqrt(n.numerator)
    return encode(f, Fraction(2 * root + (root * root != n), 2 ** (k + 1)), rm)


def fma(f, a, b, c, rm):
    """a * b + c, rounded once"""
    invalid = f.is_inf(a) and f.is_zero(b) or f.is_zero(a) and f.is_inf(b)
    if f.is_nan(a) or f.is_nan(b) or f.is_nan(c) or invalid:
        flags = nan_result(f, a, b, c)[1]
        return f.nan, flags | (NV if invalid else 0)
    sign = (a ^ b) & f.sign
    if f.is_inf(a) or f.is_inf(b):
        if f.is_inf(c) and c & f.sign != sign:
            return f.nan, NV
        return sign | f.inf, 0
    if f.is_inf(c):
        return c, 0
    if sign == c & f.sign:
        zero_sign = sign
    else:
        zero_sign = f.sign if rm == RDN else 0
    return encode(f, f.value(a) * f.value(b) + f.value(c), rm, zero_sign)


def madd(f, a, b, c, rm):
    return fma(f, a, b, c, rm)


def msub(f, a, b, c, rm):
    return fma(f, a, b, c if f.is_nan(c) else c ^ f.sign, rm)


def nmsub(f, a, b, c, rm):
    return fma(f, a if f.is_nan(a) else a ^ f.sign, b, c, rm)


def nmadd(f, a, b, c, rm):
    return fma(f, a if f.is_nan(a) else a ^ f.sign, b, c if f.is_nan(c) else c ^ f.sign, rm)


def order(f, x):
    """Encodings of numbers in order, -0 below +0"""
    return -(x & ~f.sign) - 1 if x & f.sign else x


def pick(f, a, b, smaller):
    flags = nan_result(f, a, b)[1]
    if f.is_nan(a):
        return (f.nan if f.is_nan(b) else b), flags
    if f.is_nan(b):
        return a, flags
    return (a if (order(f, a) < order(f, b)) == smaller else b), flags


def fmin(f, a, b):
    return pick(f, a, b, True)


def fmax(f, a, b):
    return pick(f, a, b, False)


def sort_key(f, x):
    """Numbers in order, both zeros equal"""
    return 0 if f.is_zero(x) else order(f, x)


def feq(f, a, b):
    if f.is_nan(a) or f.is_nan(b):
        return 0, nan_result(f, a, b)[1]
    return int(sort_key(f, a) == sort_key(f, b)), 0


def flt(f, a, b):
    if f.is_nan(a) or f.is_nan(b):
        return 0, NV
    return int(sort_key(f, a) < sort_key(f, b)), 0


def fle(f, a, b):
    if f.is_nan(a) or f.is_nan(b):
        return 0, NV
    return int(sort_key(f, a) <= sort_key(f, b)), 0


def sgnj(f, a, b):
    return a & ~f.sign | b & f.sign, 0


def sgnjn(f, a, b):
    return a & ~f.sign | ~b & f.sign, 0


def sgnjx(f, a, b):
    return a ^ b & f.sign, 0


def fclass(f, a):
    if f.is_nan(a):
        return (1 << 8 if f.is_snan(a) else 1 << 9), 0
    magnitude = a & ~f.sign
    kind = 3 if magnitude == f.inf else 2 if magnitude >= f.min_normal else 1 if magnitude else 0
    return 1 << (3 - kind if a & f.sign else 4 + kind), 0


def to_int(f, a, rm, width, signed):
    """The 64-bit register a conversion leaves; 32-bit results are sign-extended"""
    low, high = (-1 << (width - 1), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    flags = NV
    if f.is_nan(a):
        n = high
    elif f.is_inf(a):
        n = low if a & f.sign else high
    else:
        v = f.value(a)
        n, inexact = round_units(abs(v), rm, v < 0)
        n = -n if v < 0 else n
        if low <= n <= high:
            flags = NX if inexact else 0
        n = min(max(n, low), high)
    if width == 32:
        n &= 0xffffffff
        n -= (n & 0x80000000) << 1
    return n & (1 << 64) - 1, flags


def from_int(f, register, rm, width, signed):
    n = register & (1 << width) - 1
    if signed and n >> (width - 1):
        n -= 1 << width
    return encode(f, Fraction(n), rm)


def convert(to, frm, a, rm):
    if frm.is_nan(a):
        return to.nan, nan_result(frm, a)[1]
    sign = to.sign if a & frm.sign else 0
    if frm.is_inf(a):
        return sign | to.inf, 0
    return encode(to, frm.value(a), rm, sign)
