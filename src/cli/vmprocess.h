/* SPDX-License-Identifier: Apache-2.0 */
/* A hospes-vm that this process starts, and what it says over the control socket. */
#ifndef CLI_VMPROCESS_H
#define CLI_VMPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* How a VM ended; see vmm/supervisor.h. */
enum vm_reason {
	VM_UNKNOWN,		/* it has not, or its supervisor died without a word */
	VM_POWEROFF,
	VM_FAILED,		/* code: what the guest reported */
	VM_CRASHED,		/* the CPU engine gave up */
	VM_STOPPED,
	VM_KILLED,		/* code: the signal that its monitor died of */
	VM_ERROR,		/* its monitor could not build it, and said why */
};

struct vmprocess {
	pid_t pid;
	int pidfd, console, control;	/* -1: closed */
	bool started;			/* the guest has executed */
	enum vm_reason reason;
	int code;
	char line[4096];		/* an event that is not complete yet */
	size_t line_len;
};

/*
 * Starts hospes-vm, from the folder this program lies in, for the VM in folder dir. The caller ends
 * it with vmprocess_end(), also after an error.
 */
int vmprocess_start(struct vmprocess *p, const char *dir, struct err *err);

/* control is readable: takes what is there. False at its end; it is closed then. */
bool vmprocess_read_events(struct vmprocess *p);

/*
 * Orders; when the supervisor is gone they do nothing. vmprocess_shut_down() presses the power button
 * as well, and the supervisor stops a VM that does not end within a minute.
 */
void vmprocess_power_button(struct vmprocess *p);
void vmprocess_shut_down(struct vmprocess *p);
void vmprocess_stop(struct vmprocess *p);

/*
 * Closes the sockets, which stops the VM if it runs, and waits until the supervisor is gone.
 * Returns its status as waitpid() gives it; 0 when none was started.
 */
int vmprocess_end(struct vmprocess *p);

/* The path of a program of this installation into buf; -ENOENT with a sentence. */
int vmprocess_program(char *buf, size_t size, const char *name, struct err *err);

#endif
