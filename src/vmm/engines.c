/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/engines.h"

#include <string.h>

#include "base/bits.h"
#include "engine/riscv/riscv.h"

static const struct engine_ops *const engines[] = {
#define ENGINE(symbol) &symbol,
#include "vmm/engines.def"
#undef ENGINE
};

const struct engine_ops *engine_find(const char *name, const char *arch)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (!strcmp(engines[i]->name, name) && !strcmp(engines[i]->arch, arch))
			return engines[i];
	return NULL;
}
