/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/machine.h"

#include <string.h>

#define MACHINE(ops) extern const struct machine_ops ops;
#include "machine/list.def"
#undef MACHINE

const struct machine_ops *const *machine_all(void)
{
	static const struct machine_ops *const all[] = {
#define MACHINE(ops) &ops,
#include "machine/list.def"
#undef MACHINE
		NULL,
	};

	return all;
}

const struct machine_ops *machine_find(const char *name)
{
	for (const struct machine_ops *const *m = machine_all(); *m; m++)
		if (!strcmp((*m)->name, name))
			return *m;
	return NULL;
}
