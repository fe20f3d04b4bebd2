/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target and its main program share. A target defines LLVMFuzzerTestOneInput();
 * libFuzzer's main or ours (standalone.c) calls it. An input that crashes, hangs or exits is
 * a finding.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes values off an input, little-endian; past its end they are 0. */
struct fuzz_input {
	const uint8_t *data;
	size_t size, at;
};

static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		if (in->at < in->size)
			value |= (uint64_t)in->data[in->at++] << 8 * i;
	return value;
}

static inline int fuzz_more(const struct fuzz_input *in)
{
	return in->at < in->size;
}

#endif
