/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/log.h"
#include "vmm/supervisor_state.h"

/* How long the guest agent may take to say that it is there, and the monitor to obey. */
#define PING_NS (UINT64_C(2) * 1000000000u)
#define OBEY_NS (UINT64_C(10) * 1000000000u)

static void arm(struct supervisor *s, uint64_t deadline_ns)
{
	loop_timer_arm(s->loop, &s->timer, deadline_ns);
}

static void force(struct supervisor *s)
{
	s->stop = STOP_FORCE;
	s->stopped_by = "kill";
	supervisor_order(s, LINK_STOP);
	arm(s, loop_now_ns() + OBEY_NS);
}

static void press_button(struct supervisor *s)
{
	s->stop = STOP_BUTTON;
	s->stopped_by = "power-button";
	supervisor_order(s, LINK_POWER_BUTTON);
	arm(s, s->stop_deadline_ns);
}

static void on_answer(void *opaque)
{
	struct supervisor *s = opaque;
	uint64_t now = loop_now_ns();

	if (s->stop != STOP_ASK)
		return;
	s->stop = STOP_AGENT;
	s->stopped_by = "agent";
	vmagent_power_off(&s->agent);
	/* The button gets the other half. */
	arm(s, now + (s->stop_deadline_ns > now ? (s->stop_deadline_ns - now) / 2 : 0));
}

static void ask_agent(struct supervisor *s)
{
	uint64_t now = loop_now_ns(), half = now + (s->stop_deadline_ns - now) / 2;

	if (!vmagent_ask(&s->agent, on_answer, s)) {
		press_button(s);
		return;
	}
	s->stop = STOP_ASK;
	arm(s, half < now + PING_NS ? half : now + PING_NS);
}

void shutdown_begin(struct supervisor *s, uint64_t timeout_ns)
{
	uint64_t now = loop_now_ns(), deadline = now + timeout_ns;
	bool first = s->stop == STOP_NONE;

	if (s->state == VM_ENDED) {
		s->by_user = true;
		supervisor_leave(s);
		return;
	}
	if (first) {
		s->by_user = true;
		supervisor_event(s, "stopping", NULL);
		control_done(&s->control, WAIT_PAUSED, NULL, "the VM is being stopped");
		/* Paused, it could not shut down. */
		if (s->want_pause)
			supervisor_order(s, LINK_RESUME);
		s->want_pause = false;
	}
	if (s->stop == STOP_FORCE || (!first && deadline >= s->stop_deadline_ns))
		return;
	s->stop_deadline_ns = deadline;
	if (timeout_ns == 0)
		force(s);
	else if (first)
		ask_agent(s);
	else if (s->stop == STOP_BUTTON)
		arm(s, deadline);
}

void shutdown_kill(struct supervisor *s)
{
	s->by_user = true;
	if (s->state == VM_ENDED) {
		supervisor_leave(s);
		return;
	}
	if (s->stop == STOP_NONE)
		supervisor_event(s, "stopping", NULL);
	s->stop = STOP_FORCE;
	s->stopped_by = "kill";
	if (s->monitor > 0)
		kill(s->monitor, SIGKILL);
}

void shutdown_on_timer(struct supervisor *s)
{
	switch (s->stop) {
	case STOP_ASK:
	case STOP_AGENT:
		press_button(s);
		break;
	case STOP_BUTTON:
		force(s);
		break;
	case STOP_FORCE:
		log_warn("the monitor did not stop within 10 s and is killed");
		if (s->monitor > 0)
			kill(s->monitor, SIGKILL);
		break;
	case STOP_NONE:
		break;
	}
}
