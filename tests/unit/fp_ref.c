/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fp_ref.h"

#include <math.h>
#include <string.h>

enum { NX = 1, UF = 2, OF = 4, DZ = 8, NV = 16 };
enum { RNE, RTZ, RDN, RUP, RMM };
enum { WORDS = 72, POINT = 2304 }; /* of a big: its size, and the weight of bit POINT is 1 */

typedef unsigned __int128 u128;

static const struct {
	unsigned width, frac;
	int bias;
} formats[] = {
	[REF_F16] = {16, 10, 15},  [REF_F32] = {32, 23, 127}, [REF_F64] = {64, 52, 1023},
	[REF_I32] = {.width = 32}, [REF_U32] = {.width = 32}, [REF_I64] = {.width = 64},
	[REF_U64] = {.width = 64},
};

unsigned ref_width(enum ref_type type)
{
	return formats[type].width;
}

/* (-1)^sign * m * 2^e */
struct scaled {
	u128 m;
	int e;
	bool sign;
};

struct big {
	uint64_t word[WORDS];
};

/* An exact value without its sign, and how to compare it. */
struct exact {
	enum { IS_BIG, IS_QUOTIENT, IS_ROOT } kind;
	struct big big;
	struct scaled a, b;
	bool sign;
};

static uint64_t ones(unsigned n)
{
	return n ? ~UINT64_C(0) >> (64 - n) : 0;
}

static uint64_t magnitude(enum ref_type t, uint64_t v)
{
	return v & ones(formats[t].width - 1);
}

static bool negative(enum ref_type t, uint64_t v)
{
	return v >> (formats[t].width - 1) & 1;
}

static uint64_t infinity(enum ref_type t)
{
	return ones(formats[t].width - 1 - formats[t].frac) << formats[t].frac;
}

static uint64_t quiet_nan(enum ref_type t)
{
	return infinity(t) + (infinity(t) & -infinity(t)) / 2;
}

static uint64_t with_sign(enum ref_type t, bool sign, uint64_t v)
{
	return sign ? v | UINT64_C(1) << (formats[t].width - 1) : v;
}

static bool is_nan(enum ref_type t, uint64_t v)
{
	return magnitude(t, v) > infinity(t);
}

static bool is_snan(enum ref_type t, uint64_t v)
{
	return is_nan(t, v) && magnitude(t, v) < quiet_nan(t);
}

static bool is_inf(enum ref_type t, uint64_t v)
{
	return magnitude(t, v) == infinity(t);
}

static bool is_zero(enum ref_type t, uint64_t v)
{
	return !magnitude(t, v);
}

/* The number that v encodes; what encodes infinity is taken for the power of two after the last. */
static struct scaled decode(enum ref_type t, uint64_t v)
{
	uint64_t mag = magnitude(t, v);
	unsigned frac = formats[t].frac;
	int field = (int)(mag >> frac);

	if (!field)
		return (struct scaled){mag, 1 - formats[t].bias - (int)frac, negative(t, v)};
	return (struct scaled){(mag & ones(frac)) + (UINT64_C(1) << frac),
			       field - formats[t].bias - (int)frac, negative(t, v)};
}

static struct big to_big(struct scaled s)
{
	unsigned at = (unsigned)(s.e + POINT), word = at / 64, bit = at % 64;
	struct big b = {0};
	uint64_t low = (uint64_t)s.m, high = (uint64_t)(s.m >> 64);

	b.word[word] = low << bit;
	b.word[word + 1] = (bit ? low >> (64 - bit) : 0) | high << bit;
	if (word + 2 < WORDS)
		b.word[word + 2] = bit ? high >> (64 - bit) : 0;
	return b;
}

static int big_cmp(const struct big *a, const struct big *b)
{
	int i;

	for (i = WORDS - 1; i >= 0; i--)
		if (a->word[i] != b->word[i])
			return a->word[i] < b->word[i] ? -1 : 1;
	return 0;
}

static struct big big_add(const struct big *a, const struct big *b, bool subtract)
{
	uint64_t carry = subtract;
	struct big r;
	int i;

	for (i = 0; i < WORDS; i++) {
		u128 sum = (u128)a->word[i] + (subtract ? ~b->word[i] : b->word[i]) + carry;

		r.word[i] = (uint64_t)sum;
		carry = (uint64_t)(sum >> 64);
	}
	return r;
}

static int length(u128 m)
{
	uint64_t high = (uint64_t)(m >> 64);

	return high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)m);
}

/* Compares magnitudes. */
static int scaled_cmp(struct scaled x, struct scaled y)
{
	int lx, ly;

	if (!x.m || !y.m)
		return (x.m != 0) - (y.m != 0);
	lx = length(x.m);
	ly = length(y.m);
	if (lx + x.e != ly + y.e)
		return lx + x.e < ly + y.e ? -1 : 1;
	x.m <<= 128 - lx;
	y.m <<= 128 - ly;
	return x.m < y.m ? -1 : x.m > y.m;
}

/* The exact value compared with m * 2^e. */
static int exact_cmp(const struct exact *x, u128 m, int e)
{
	struct scaled s = {m, e, false};
	struct big b;

	switch (x->kind) {
	case IS_QUOTIENT:
		return scaled_cmp(x->a, (struct scaled){m * x->b.m, e + x->b.e, false});
	case IS_ROOT:
		return scaled_cmp(x->a, (struct scaled){m * m, 2 * e, false});
	default:
		b = to_big(s);
		return big_cmp(&x->big, &b);
	}
}

/* Where the exact value lies between two neighbours, and whether it counts as tiny. */
struct place {
	uint64_t low;		   /* the greatest encoding not above it */
	int over;		   /* compared with low */
	int half;		   /* compared with half way to the next */
	int least;		   /* compared with the least normal number */
	int least_low, least_half; /* with its lower neighbour, unbounded exponent; half way */
};

static bool goes_up(unsigned rm, bool sign, bool odd, int over, int half)
{
	switch (rm) {
	case RNE:
		return half > 0 || (half == 0 && odd);
	case RMM:
		return half >= 0;
	case RDN:
		return over && sign;
	case RUP:
		return over && !sign;
	default:
		return false;
	}
}

static struct place locate(enum ref_type t, const struct exact *x)
{
	uint64_t low = 0, high = infinity(t) + 1; /* low <= x < high, or x is past the end */
	unsigned frac = formats[t].frac;
	int emin = 1 - formats[t].bias;
	struct place p;
	struct scaled s;

	while (high - low > 1) {
		uint64_t mid = low + (high - low) / 2;

		s = decode(t, mid);
		if (exact_cmp(x, s.m, s.e) >= 0)
			low = mid;
		else
			high = mid;
	}
	s = decode(t, low);
	p.low = low;
	p.over = exact_cmp(x, s.m, s.e);
	p.half = exact_cmp(x, 2 * s.m + 1, s.e - 1);
	p.least = exact_cmp(x, 1, emin);
	p.least_low = exact_cmp(x, ones(frac + 1), emin - 1 - (int)frac);
	p.least_half = exact_cmp(x, ones(frac + 2), emin - 2 - (int)frac);
	return p;
}

static struct ref_result choose(enum ref_type t, struct place p, bool sign, unsigned rm)
{
	struct ref_result r = {p.low, 0};
	bool tiny = p.least < 0 &&
		    !(p.least_low >= 0 && goes_up(rm, sign, true, p.least_low, p.least_half));

	if (p.low < infinity(t))
		r.bits += goes_up(rm, sign, p.low & 1, p.over, p.half);
	if (r.bits >= infinity(t)) {
		bool stays = rm == RTZ || rm == (sign ? RUP : RDN);

		r.bits = infinity(t) - stays;
		r.flags = OF | NX;
	} else if (p.over) {
		r.flags = NX | (tiny ? UF : 0);
	}
	r.bits = with_sign(t, sign, r.bits);
	return r;
}

static void round_all(enum ref_type t, const struct exact *x, struct ref_result *out)
{
	struct place p = locate(t, x);
	unsigned rm;

	for (rm = 0; rm < REF_MODES; rm++)
		out[rm] = choose(t, p, x->sign, rm);
}

static void all(struct ref_result *out, uint64_t bits, unsigned flags)
{
	unsigned rm;

	for (rm = 0; rm < REF_MODES; rm++)
		out[rm] = (struct ref_result){bits, (uint8_t)flags};
}

/* a * b + c for numbers that are neither infinite nor NaN. */
static void multiply_add(enum ref_type t, struct scaled a, struct scaled b, struct scaled c,
			 struct ref_result *out)
{
	struct scaled p = {a.m * b.m, a.e + b.e, a.sign != b.sign};
	struct exact x = {.kind = IS_BIG};
	struct big big_p, big_c;
	int order;
	unsigned rm;

	if (!p.m)
		p.e = 0;
	big_p = to_big(p);
	big_c = to_big(c);
	order = big_cmp(&big_p, &big_c);
	if (p.sign == c.sign) {
		x.big = big_add(&big_p, &big_c, false);
		x.sign = p.sign;
	} else if (order) {
		x.big = order > 0 ? big_add(&big_p, &big_c, true) : big_add(&big_c, &big_p, true);
		x.sign = order > 0 ? p.sign : c.sign;
	} else {
		/* IEEE 754-2019 clause 6.3: an exact zero sum of opposite signs */
		for (rm = 0; rm < REF_MODES; rm++)
			out[rm] = (struct ref_result){with_sign(t, rm == RDN, 0), 0};
		return;
	}
	round_all(t, &x, out);
}

static void ref_fma(enum ref_type t, uint64_t a, uint64_t b, uint64_t c, struct ref_result *out)
{
	bool sign = negative(t, a) != negative(t, b);
	bool bad = (is_zero(t, a) && is_inf(t, b)) || (is_inf(t, a) && is_zero(t, b));
	bool nan = is_nan(t, a) || is_nan(t, b) || is_nan(t, c);
	bool inf = is_inf(t, a) || is_inf(t, b);

	if (bad || is_snan(t, a) || is_snan(t, b) || is_snan(t, c))
		all(out, quiet_nan(t), NV);
	else if (nan)
		all(out, quiet_nan(t), 0);
	else if (inf && is_inf(t, c) && negative(t, c) != sign)
		all(out, quiet_nan(t), NV);
	else if (inf)
		all(out, with_sign(t, sign, infinity(t)), 0);
	else if (is_inf(t, c))
		all(out, c, 0);
	else
		multiply_add(t, decode(t, a), decode(t, b), decode(t, c), out);
}

static void ref_mul(enum ref_type t, uint64_t a, uint64_t b, struct ref_result *out)
{
	/* Adding a zero of the product's sign changes nothing, not even a zero. */
	ref_fma(t, a, b, with_sign(t, negative(t, a) != negative(t, b), 0), out);
}

static void ref_add(enum ref_type t, uint64_t a, uint64_t b, struct ref_result *out)
{
	ref_fma(t, a, (uint64_t)formats[t].bias << formats[t].frac, b, out);
}

static void ref_div(enum ref_type t, uint64_t a, uint64_t b, struct ref_result *out)
{
	struct exact x = {.kind = IS_QUOTIENT, .sign = negative(t, a) != negative(t, b)};

	x.a = decode(t, a);
	x.b = decode(t, b);
	if (is_nan(t, a) || is_nan(t, b))
		all(out, quiet_nan(t), is_snan(t, a) || is_snan(t, b) ? NV : 0);
	else if ((is_zero(t, a) && is_zero(t, b)) || (is_inf(t, a) && is_inf(t, b)))
		all(out, quiet_nan(t), NV);
	else if (is_inf(t, a) || is_zero(t, b))
		all(out, with_sign(t, x.sign, infinity(t)), is_inf(t, a) ? 0 : DZ);
	else if (is_zero(t, a) || is_inf(t, b))
		all(out, with_sign(t, x.sign, 0), 0);
	else
		round_all(t, &x, out);
}

static void ref_sqrt(enum ref_type t, uint64_t a, struct ref_result *out)
{
	struct exact x = {.kind = IS_ROOT, .a = decode(t, a)};

	if (is_nan(t, a))
		all(out, quiet_nan(t), is_snan(t, a) ? NV : 0);
	else if (is_zero(t, a) || a == infinity(t))
		all(out, a, 0);
	else if (negative(t, a))
		all(out, quiet_nan(t), NV);
	else
		round_all(t, &x, out);
}

/* Exact in a double for all three formats. */
static double number(enum ref_type t, uint64_t v)
{
	struct scaled s = decode(t, v);
	double d = is_inf(t, v) ? HUGE_VAL : ldexp((double)(uint64_t)s.m, s.e);

	return s.sign ? -d : d;
}

static void ref_compare(enum ref_op op, enum ref_type t, uint64_t a, uint64_t b,
			struct ref_result *out)
{
	bool nan = is_nan(t, a) || is_nan(t, b), snan = is_snan(t, a) || is_snan(t, b);
	double x, y;

	if (nan) {
		all(out, 0, snan || op != REF_EQ ? NV : 0);
		return;
	}
	x = number(t, a);
	y = number(t, b);
	all(out, op == REF_EQ ? x == y : op == REF_LT ? x < y : x <= y, 0);
}

static void ref_minmax(bool greater, enum ref_type t, uint64_t a, uint64_t b,
		       struct ref_result *out)
{
	unsigned flags = is_snan(t, a) || is_snan(t, b) ? NV : 0;
	double x, y;

	if (is_nan(t, a) || is_nan(t, b)) {
		all(out, !is_nan(t, a) ? a : !is_nan(t, b) ? b : quiet_nan(t), flags);
		return;
	}
	x = number(t, a);
	y = number(t, b);
	if (x == y) /* equal encodings or two zeros */
		all(out, negative(t, a) != greater ? a : b, 0);
	else
		all(out, (x < y) != greater ? a : b, 0);
}

static unsigned ref_class(enum ref_type t, uint64_t a)
{
	double least = ldexp(1, 1 - formats[t].bias), x = fabs(number(t, a));
	unsigned up; /* distance from the zeros, bits 3 and 4 */

	if (is_nan(t, a))
		return is_snan(t, a) ? 0x100 : 0x200;
	up = x == 0 ? 0 : x < least ? 1 : x < HUGE_VAL ? 2 : 3;
	return negative(t, a) ? 8u >> up : 16u << up;
}

static void to_integer(enum ref_type from, enum ref_type to, uint64_t a, struct ref_result *out)
{
	bool is_signed = to == REF_I32 || to == REF_I64;
	unsigned bits = formats[to].width - is_signed, rm;
	__int128 above = ((__int128)1 << bits) - 1, below = is_signed ? -above - 1 : 0;
	struct scaled s = decode(from, a);
	__int128 n;

	if (is_nan(from, a)) {
		all(out, (uint64_t)above, NV);
		return;
	}
	for (rm = 0; rm < REF_MODES; rm++) {
		int over = 0, half = -1;

		if (s.e > 64 || is_inf(from, a)) {
			n = s.m ? (__int128)1 << 100 : 0;
		} else if (s.e >= 0) {
			n = (__int128)(s.m << s.e);
		} else if (s.e < -60) {
			n = 0;
			over = s.m != 0;
		} else {
			uint64_t rest = (uint64_t)s.m & ones((unsigned)-s.e);
			uint64_t middle = UINT64_C(1) << (-s.e - 1);

			n = (__int128)(s.m >> -s.e);
			over = rest != 0;
			half = rest < middle ? -1 : rest > middle;
		}
		n += goes_up(rm, s.sign, n & 1, over, half);
		n = s.sign ? -n : n;
		out[rm].flags = n < below || n > above ? NV : over ? NX : 0;
		n = n < below ? below : n > above ? above : n;
		out[rm].bits = (uint64_t)n & ones(formats[to].width);
	}
}

static void from_integer(enum ref_type from, enum ref_type to, uint64_t a, struct ref_result *out)
{
	struct exact x = {.kind = IS_BIG};
	int64_t n = from == REF_I32 ? (int32_t)a : (int64_t)a;

	if (!a) {
		all(out, 0, 0);
		return;
	}
	x.sign = (from == REF_I32 || from == REF_I64) && n < 0;
	if (x.sign)
		a = -(uint64_t)n;
	x.big = to_big((struct scaled){a, 0, false});
	round_all(to, &x, out);
}

static void ref_convert(enum ref_type from, enum ref_type to, uint64_t a, struct ref_result *out)
{
	struct exact x = {.kind = IS_BIG, .sign = negative(from, a)};

	if (from >= REF_I32) {
		from_integer(from, to, a, out);
	} else if (to >= REF_I32) {
		to_integer(from, to, a, out);
	} else if (is_nan(from, a)) {
		all(out, quiet_nan(to), is_snan(from, a) ? NV : 0);
	} else if (is_inf(from, a) || is_zero(from, a)) {
		all(out, with_sign(to, x.sign, is_inf(from, a) ? infinity(to) : 0), 0);
	} else {
		x.big = to_big(decode(from, a));
		round_all(to, &x, out);
	}
}

void ref_compute(enum ref_op op, enum ref_type from, enum ref_type to, const uint64_t v[3],
		 struct ref_result out[REF_MODES])
{
	switch (op) {
	case REF_ADD:
		ref_add(from, v[0], v[1], out);
		break;
	case REF_SUB:
		ref_add(from, v[0], v[1] ^ with_sign(from, true, 0), out);
		break;
	case REF_MUL:
		ref_mul(from, v[0], v[1], out);
		break;
	case REF_DIV:
		ref_div(from, v[0], v[1], out);
		break;
	case REF_SQRT:
		ref_sqrt(from, v[0], out);
		break;
	case REF_FMA:
		ref_fma(from, v[0], v[1], v[2], out);
		break;
	case REF_MIN:
	case REF_MAX:
		ref_minmax(op == REF_MAX, from, v[0], v[1], out);
		break;
	case REF_EQ:
	case REF_LT:
	case REF_LE:
		ref_compare(op, from, v[0], v[1], out);
		break;
	case REF_CLASS:
		all(out, ref_class(from, v[0]), 0);
		break;
	case REF_CONVERT:
		ref_convert(from, to, v[0], out);
		break;
	}
}
