/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device whose requests stay in flight until the test completes them: what a reset
 * and a safepoint wait for. One queue; completing a request writes one byte, 0xa5.
 */
#ifndef TESTS_DEVICE_SLOW_H
#define TESTS_DEVICE_SLOW_H

#include "dev/virtio/virtio.h"

/* As other models' constructors; its device id is the rng's. */
int slow_new(struct virtio **out, struct vm *vm, const char *name, struct err *err);

/* How many requests are in flight. Any thread. */
unsigned slow_in_flight(struct virtio *v);

/* Completes the oldest request. Any thread but the loop's. */
void slow_complete(struct virtio *v);

#endif
