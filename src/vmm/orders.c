/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "vmm/supervisor_state.h"
#include "vmm/usage.h"

/* Seconds that "stop" gives a guest, unless it says otherwise, and at most. */
enum { STOP_SECONDS = 60, STOP_MOST = 24 * 3600 };

static const char *state_name(const struct supervisor *s)
{
	if (s->state == VM_ENDED)
		return s->leaving ? "ending" : "restarting";
	if (s->stop != STOP_NONE)
		return "ending";
	return s->state == VM_PAUSED ? "paused" : s->state == VM_RUNNING ? "running" : "starting";
}

static json_t *usage_json(const struct usage *u)
{
	return json_pack("{s:I, s:I}", "cpu_ms", (json_int_t)u->cpu_ms, "rss", (json_int_t)u->rss);
}

/* {"monitor":..., "net":..., "supervisor":...} */
static json_t *stats(const struct supervisor *s)
{
	struct usage monitor = { 0 }, net = { 0 }, own = { 0 };

	if (s->monitor > 0)
		usage_add(&monitor, s->monitor);
	for (unsigned i = 0; i < VMCONFIG_MAX_NETS; i++)
		if (s->nets[i].pid > 0)
			usage_add(&net, s->nets[i].pid);
	usage_add(&own, getpid());
	return json_pack("{s:o, s:o, s:o}", "monitor", usage_json(&monitor), "net", usage_json(&net),
			 "supervisor", usage_json(&own));
}

static void do_status(struct supervisor *s, struct control_client *c, json_t *args)
{
	json_t *nets = json_array();

	for (unsigned i = 0; i < VMCONFIG_MAX_NETS; i++)
		if (s->nets[i].pid > 0)
			json_array_append_new(nets, json_integer(s->nets[i].pid));
	control_answer(c, json_pack("{s:s, s:I, s:I, s:i, s:{s:i, s:i, s:o}, s:o}", "state", state_name(s),
				    "since", (json_int_t)s->since_ms, "started",
				    (json_int_t)s->started_ms, "restarts", (int)s->restarts, "pids",
				    "supervisor", (int)getpid(), "monitor", (int)s->monitor, "net", nets,
				    "stats", stats(s)));
}

static void do_stats(struct supervisor *s, struct control_client *c, json_t *args)
{
	control_answer(c, stats(s));
}

static void do_power_button(struct supervisor *s, struct control_client *c, json_t *args)
{
	if (s->state != VM_RUNNING) {
		control_refuse(c, "the VM is %s; its power button cannot be pressed", state_name(s));
		return;
	}
	supervisor_order(s, LINK_POWER_BUTTON);
	control_answer(c, NULL);
}

static void do_stop(struct supervisor *s, struct control_client *c, json_t *args)
{
	const json_t *timeout = json_object_get(args, "timeout");
	double seconds = timeout ? json_number_value(timeout) : STOP_SECONDS;

	if ((timeout && !json_is_number(timeout)) || seconds < 0 || seconds > STOP_MOST) {
		control_refuse(c, "\"timeout\" is a number of seconds from 0 to %d", STOP_MOST);
		return;
	}
	control_wait(c, WAIT_END);
	shutdown_begin(s, (uint64_t)(seconds * 1e9));
}

static void do_kill(struct supervisor *s, struct control_client *c, json_t *args)
{
	control_wait(c, WAIT_END);
	shutdown_kill(s);
}

static void do_pause(struct supervisor *s, struct control_client *c, json_t *args)
{
	if (s->stop != STOP_NONE || s->state == VM_STARTING || s->state == VM_ENDED) {
		control_refuse(c, "the VM is %s; it cannot be paused", state_name(s));
	} else if (s->state == VM_PAUSED && s->want_pause) {
		control_answer(c, NULL);
	} else if (s->state == VM_PAUSED) {
		control_refuse(c, "the VM is being resumed; try again");
	} else {
		control_wait(c, WAIT_PAUSED);
		s->want_pause = true;
		supervisor_order(s, LINK_PAUSE);
	}
}

static void do_resume(struct supervisor *s, struct control_client *c, json_t *args)
{
	if (s->state != VM_PAUSED && s->state != VM_RUNNING) {
		control_refuse(c, "the VM is %s; it cannot be resumed", state_name(s));
	} else if (s->state == VM_RUNNING && !s->want_pause) {
		control_answer(c, NULL);
	} else if (s->state == VM_RUNNING) {
		control_refuse(c, "the VM is being paused; try again");
	} else {
		control_wait(c, WAIT_RUNNING);
		s->want_pause = false;
		supervisor_order(s, LINK_RESUME);
	}
}

static void do_subscribe(struct supervisor *s, struct control_client *c, json_t *args)
{
	control_subscribe(c);
	control_answer(c, NULL);
}

static void do_agent(struct supervisor *s, struct control_client *c, json_t *args)
{
	if (!vmagent_take(&s->agent, c)) {
		control_refuse(c, "the guest agent is in use");
		return;
	}
	control_answer(c, NULL);
	control_make_raw(c);
}

static const struct {
	const char *what;
	void (*act)(struct supervisor *s, struct control_client *c, json_t *args);
} orders[] = {
	{ "status", do_status },
	{ "stats", do_stats },
	{ "power-button", do_power_button },
	{ "stop", do_stop },
	{ "kill", do_kill },
	{ "pause", do_pause },
	{ "resume", do_resume },
	{ "subscribe", do_subscribe },
	{ "agent", do_agent },
};

void orders_request(void *opaque, struct control_client *c, const char *what, json_t *args)
{
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		if (!strcmp(orders[i].what, what)) {
			orders[i].act(opaque, c, args);
			return;
		}
	control_refuse(c, "'%.40s' is no request that this version knows", what);
}
