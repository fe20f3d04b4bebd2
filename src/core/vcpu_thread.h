/* SPDX-License-Identifier: Apache-2.0 */
/* What core itself uses of vCPUs: their threads. */
#ifndef CORE_VCPU_THREAD_H
#define CORE_VCPU_THREAD_H

#include "core/vcpu.h"

/* The body of a vCPU's thread; arg is its struct vcpu. Ends on VCPU_REQ_EXIT. */
void *vcpu_main(void *arg);

/* Any thread: sets request bits and kicks. */
void vcpu_post(struct vcpu *v, uint32_t req);

#endif
