/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/misc/syscon.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"

struct syscon {
	struct dev dev;
	struct vm *vm;
};

static bool syscon_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	*value = 0;
	return true;
}

static bool syscon_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct syscon *s = opaque;

	if (off || size < 2)
		return true;
	switch (value & 0xffff) {
	case SYSCON_POWEROFF:
		vm_request(s->vm, VM_EVENT_POWEROFF, 0);
		break;
	case SYSCON_FAIL:
		vm_request(s->vm, VM_EVENT_FAIL, (uint32_t)(value >> 16 & 0xffff));
		break;
	case SYSCON_RESET:
		vm_request(s->vm, VM_EVENT_RESET, 0);
		break;
	default:
		break;
	}
	return true;
}

static void syscon_reset(struct dev *d)
{
}

static void syscon_fini(struct dev *d)
{
	free(container_of(d, struct syscon, dev));
}

int syscon_new(struct vm *vm, const struct syscon_cfg *cfg, struct syscon **out, struct err *err)
{
	static const struct dev_ops dev_ops = { .reset = syscon_reset, .fini = syscon_fini };
	static const struct bus_ops bus_ops = { syscon_read, syscon_write };
	struct syscon *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	s->vm = vm;
	s->dev.ops = &dev_ops;
	s->dev.name = cfg->name;
	rc = bus_map(&vm->bus, &(struct bus_region){ cfg->base, 0x1000, &bus_ops, s, cfg->name },
		     err);
	if (rc) {
		syscon_fini(&s->dev);
		return rc;
	}
	vm_add_dev(vm, &s->dev);
	*out = s;
	return 0;
}
