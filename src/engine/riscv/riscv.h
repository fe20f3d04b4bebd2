/* SPDX-License-Identifier: Apache-2.0 */
/* The riscv64 engines that a machine can choose from. */
#ifndef ENGINE_RISCV_RISCV_H
#define ENGINE_RISCV_RISCV_H

#include "core/engine.h"

/* RV64GC and what riscv_isa_extensions names, interpreted. */
extern const struct engine_ops riscv_interp_engine;

/*
 * What a device tree says of the CPU: "riscv,isa-base" is rv64i, these are its
 * "riscv,isa-extensions", a list that ends with NULL.
 */
extern const char *const riscv_isa_extensions[];

enum {
	RISCV_CBO_BLOCK = 64,		/* bytes: riscv,cbom-block-size, riscv,cboz-block-size */
};

#endif
