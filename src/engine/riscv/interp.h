/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter's run loop. */
#ifndef ENGINE_RISCV_INTERP_H
#define ENGINE_RISCV_INTERP_H

#include "core/vcpu.h"

/* engine_ops.run */
enum vcpu_exit riscv_interp_run(struct vcpu *v);

#endif
