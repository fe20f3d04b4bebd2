/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host interface of RISC-V test programs: a 64-bit word `tohost` in their memory, to
 * which they report, and `fromhost`, where answers go (riscv-isa-sim's HTIF).
 *
 *	tohost = device << 56 | command << 48 | payload
 *	device 0, command 0, payload odd	the program ends with code payload >> 1
 *	device 0, command 0, payload even	a system call; payload is the address of eight
 *						64-bit words: number and arguments. write(2) to 1
 *						and 2, and exit(2), are served
 *	device 1, command 1			payload's low byte goes to the console
 *
 * The page that holds tohost is a GMEM_ROMD region: it reads and executes as memory, and its
 * writes come here, are stored, and looked at.
 */
#ifndef DEV_MISC_HTIF_H
#define DEV_MISC_HTIF_H

#include "base/chan.h"
#include "core/vm.h"

struct htif;

struct htif_cfg {
	gpa_t tohost;		/* 8-byte aligned; its page is a region of its own, GMEM_ROMD */
	gpa_t fromhost;		/* 0: none */
	struct chan *console;	/* not taken over; NULL: output goes nowhere */
	const char *name;
};

/* Maps itself over tohost's page and joins vm, which owns it. -ENOMEM or bus_map()'s errors. */
int htif_new(struct vm *vm, const struct htif_cfg *cfg, struct htif **out, struct err *err);

#endif
