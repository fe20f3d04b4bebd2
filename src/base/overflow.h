/* SPDX-License-Identifier: Apache-2.0 */
/* Checked arithmetic for every value a guest, an image or the network controls. */
#ifndef BASE_OVERFLOW_H
#define BASE_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each puts a op b into *out and returns true, or returns false when it does not fit. */
#define checked_add(a, b, out) (!__builtin_add_overflow((a), (b), (out)))
#define checked_sub(a, b, out) (!__builtin_sub_overflow((a), (b), (out)))
#define checked_mul(a, b, out) (!__builtin_mul_overflow((a), (b), (out)))

/* True when [off, off + len) lies within [0, size); len 0 at off == size is within. */
static inline bool range_within(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* True when [a, a + alen) and [b, b + blen) share a byte; a range past 2^64 counts as ending there. */
static inline bool ranges_overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return alen && blen && (a < b ? b - a < alen : a - b < blen);
}

#endif
