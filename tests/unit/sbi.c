/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in SBI on an engine that is only a register file. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "machine/virt/sbi_call.h"
#include "tests/unit/fake_engine.h"

enum { RAM = 0x80000000, RAM_SIZE = 0x100000, UART = 0x10000000 };
enum { MCYCLE = 0xb00, MINSTRET = 0xb02, MCOUNTINHIBIT = 0x320, MIP = 0x344, STIMECMP = 0x14d };

struct fixture {
	struct vm vm;
	struct sbi *sbi;
	struct chan *chan;
	int peer;
	const char *input;	/* what the UART's receiver holds */
	uint8_t lcr;
	uint64_t seen;		/* a hart's state while it was suspended */
};

static bool uart_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct fixture *f = opaque;

	*value = 0;
	if (off == 5)
		*value = 0x60 | (*f->input != 0);
	else if (off == 3)
		*value = f->lcr;
	else if (off == 0 && *f->input)
		*value = (uint8_t)*f->input++;
	return true;
}

static bool uart_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	return true;
}

static int setup(void **state)
{
	static const struct bus_ops uart_ops = { uart_read, uart_write };
	struct fixture *f = calloc(1, sizeof(*f));
	struct sbi_cfg cfg = { .uart = UART };
	struct err err;
	int fds[2];

	assert_non_null(f);
	f->input = "";
	assert_int_equal(vm_init(&f->vm, &fake_engine, 10000000, &err), 0);
	assert_int_equal(gmem_add(&f->vm.mem, RAM, RAM_SIZE, GMEM_RAM, "ram", NULL, &err), 0);
	assert_int_equal(bus_map(&f->vm.bus, &(struct bus_region){ UART, 0x100, &uart_ops, f, "uart" },
				 &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(chan_new(&f->chan, f->vm.loop, fds[0], &err), 0);
	f->peer = fds[1];
	cfg.console = f->chan;
	assert_int_equal(sbi_new(&f->sbi, &f->vm, &cfg, &err), 0);
	assert_int_equal(vm_add_cpus(&f->vm, 3, &err), 0);
	f->vm.cpus[0].started = true;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	chan_free(f->chan);
	close(f->peer);
	vm_fini(&f->vm);
	sbi_free(f->sbi);
	free(f);
	return 0;
}

static struct fake_cpu *cpu(struct fixture *f, unsigned n)
{
	return f->vm.cpus[n].arch;
}

/* A call from hart n; the value is in *value if it is not NULL. */
static int64_t call_from(struct fixture *f, unsigned n, uint64_t eid, uint64_t fid,
			 const uint64_t args[6], uint64_t *value)
{
	struct fake_cpu *k = cpu(f, n);

	for (unsigned i = 0; i < 6; i++)
		k->x[10 + i] = args[i];
	k->x[16] = fid;
	k->x[17] = eid;
	f->vm.firmware.call(f->vm.firmware.opaque, &f->vm.cpus[n]);
	if (value)
		*value = k->x[11];
	return (int64_t)k->x[10];
}

#define CALL(eid, fid, value, ...) \
	call_from(f, 0, eid, fid, (const uint64_t[6]){ __VA_ARGS__ }, value)

static void base(void **state)
{
	struct fixture *f = *state;
	static const uint64_t offered[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI, SBI_EXT_RFENCE,
		SBI_EXT_HSM, SBI_EXT_SRST, SBI_EXT_PMU, SBI_EXT_DBCN,
	};
	uint64_t v;

	assert_int_equal(CALL(SBI_EXT_BASE, 0, &v, 0), SBI_SUCCESS);
	assert_int_equal(v, 2 << 24);
	for (unsigned i = 0; i < ARRAY_LEN(offered); i++) {
		assert_int_equal(CALL(SBI_EXT_BASE, 3, &v, offered[i]), SBI_SUCCESS);
		assert_int_equal(v, 1);
	}
	assert_int_equal(CALL(SBI_EXT_BASE, 3, &v, 0x53555350 /* SUSP */), SBI_SUCCESS);
	assert_int_equal(v, 0);
	cpu(f, 0)->csr[0xf12] = 42;
	assert_int_equal(CALL(SBI_EXT_BASE, 5, &v, 0), SBI_SUCCESS);
	assert_int_equal(v, 42);
	assert_int_equal(CALL(SBI_EXT_BASE, 7, &v, 0), SBI_ERR_NOT_SUPPORTED);
	assert_int_equal(CALL(0x12345678, 0, &v, 0), SBI_ERR_NOT_SUPPORTED);
	assert_int_equal(CALL(0x100000010, 0, &v, 0), SBI_ERR_NOT_SUPPORTED);
}

static void timer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(CALL(SBI_EXT_TIME, 0, NULL, 1234), SBI_SUCCESS);
	assert_int_equal(cpu(f, 0)->timer, 1234);
	assert_int_equal(CALL(SBI_EXT_TIME, 1, NULL, 5), SBI_ERR_NOT_SUPPORTED);
	assert_int_equal(CALL(SBI_EXT_LEGACY_SET_TIMER, 0, NULL, UINT64_MAX), 0);
	assert_true(cpu(f, 0)->timer == UINT64_MAX);
}

static void ipis(void **state)
{
	struct fixture *f = *state;
	uint64_t mask = 2;

	f->vm.cpus[1].started = true;
	assert_int_equal(CALL(SBI_EXT_IPI, 0, NULL, 3, 0), SBI_SUCCESS);
	assert_int_equal(f->vm.cpus[0].latched, 2);
	assert_int_equal(f->vm.cpus[1].latched, 2);
	assert_int_equal(f->vm.cpus[2].latched, 0);
	f->vm.cpus[0].latched = f->vm.cpus[1].latched = 0;
	assert_int_equal(CALL(SBI_EXT_IPI, 0, NULL, 1, 1), SBI_SUCCESS);
	assert_int_equal(f->vm.cpus[0].latched, 0);
	assert_int_equal(f->vm.cpus[1].latched, 2);
	/* a stopped hart is left alone; all harts by base -1 */
	assert_int_equal(CALL(SBI_EXT_IPI, 0, NULL, 0, UINT64_MAX), SBI_SUCCESS);
	assert_int_equal(f->vm.cpus[0].latched, 2);
	assert_int_equal(f->vm.cpus[2].latched, 0);
	/* harts that do not exist */
	assert_int_equal(CALL(SBI_EXT_IPI, 0, NULL, 8, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_IPI, 0, NULL, 4, 1), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_IPI, 0, NULL, 1, 3), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_IPI, 0, NULL, 1, UINT64_MAX - 1), SBI_ERR_INVALID_PARAM);
	/* legacy: the mask lies in memory; a1 is not touched */
	f->vm.cpus[0].latched = f->vm.cpus[1].latched = 0;
	assert_int_equal(gmem_write(&f->vm.mem, RAM + 8, &mask, 8), 0);
	assert_int_equal(CALL(SBI_EXT_LEGACY_SEND_IPI, 0, NULL, RAM + 8, 77), 0);
	assert_int_equal(f->vm.cpus[0].latched, 0);
	assert_int_equal(f->vm.cpus[1].latched, 2);
	assert_int_equal(cpu(f, 0)->x[11], 77);
	assert_int_equal(CALL(SBI_EXT_LEGACY_SEND_IPI, 0, NULL, 0x1000), SBI_ERR_INVALID_ADDRESS);
	cpu(f, 0)->csr[MIP] = 0x22;
	assert_int_equal(CALL(SBI_EXT_LEGACY_CLEAR_IPI, 0, NULL, 0), 1);
	assert_int_equal(cpu(f, 0)->csr[MIP], 0x20);
}

static void rfence(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(CALL(SBI_EXT_RFENCE, 0, NULL, 3, 0), SBI_SUCCESS);
	assert_int_equal(cpu(f, 0)->fenced, VCPU_REQ_FENCE_I);
	assert_int_equal(f->vm.cpus[1].requests, VCPU_REQ_FENCE_I);
	assert_int_equal(CALL(SBI_EXT_RFENCE, 1, NULL, 5, 0, 0x1000, 0x1000), SBI_SUCCESS);
	assert_int_equal(cpu(f, 0)->fenced, VCPU_REQ_FENCE_I | VCPU_REQ_FENCE_VMA);
	assert_int_equal(f->vm.cpus[1].requests, VCPU_REQ_FENCE_I);
	assert_int_equal(f->vm.cpus[2].requests, VCPU_REQ_FENCE_VMA);
	assert_int_equal(CALL(SBI_EXT_RFENCE, 2, NULL, 2, 0, 0, UINT64_MAX, 3), SBI_SUCCESS);
	assert_int_equal(f->vm.cpus[1].requests, VCPU_REQ_FENCE_I | VCPU_REQ_FENCE_VMA);
	assert_int_equal(CALL(SBI_EXT_RFENCE, 1, NULL, 1, 0, UINT64_MAX, 2),
			 SBI_ERR_INVALID_ADDRESS);
	assert_int_equal(CALL(SBI_EXT_RFENCE, 1, NULL, 1, 9), SBI_ERR_INVALID_PARAM);
	for (uint64_t fid = 3; fid <= 7; fid++)
		assert_int_equal(CALL(SBI_EXT_RFENCE, fid, NULL, 1, 0), SBI_ERR_NOT_SUPPORTED);
}

static void hsm(void **state)
{
	struct fixture *f = *state;
	uint64_t v;

	assert_int_equal(CALL(SBI_EXT_HSM, 2, &v, 0), SBI_SUCCESS);
	assert_int_equal(v, 0);
	assert_int_equal(CALL(SBI_EXT_HSM, 2, &v, 1), SBI_SUCCESS);
	assert_int_equal(v, 1);
	assert_int_equal(CALL(SBI_EXT_HSM, 2, &v, 3), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_HSM, 0, NULL, 3, RAM, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_HSM, 0, NULL, 1, 0x1000, 0), SBI_ERR_INVALID_ADDRESS);
	assert_int_equal(CALL(SBI_EXT_HSM, 0, NULL, 1, RAM + 1, 0), SBI_ERR_INVALID_ADDRESS);
	assert_int_equal(CALL(SBI_EXT_HSM, 0, NULL, 1, RAM + 0x100, 99), SBI_SUCCESS);
	assert_true(f->vm.cpus[1].started);
	assert_int_equal(f->vm.cpus[1].start_pc, RAM + 0x100);
	assert_int_equal(f->vm.cpus[1].start_arg, 99);
	assert_int_equal(CALL(SBI_EXT_HSM, 2, &v, 1), SBI_SUCCESS);
	assert_int_equal(v, 2);
	assert_int_equal(CALL(SBI_EXT_HSM, 0, NULL, 1, RAM, 0), SBI_ERR_ALREADY_AVAILABLE);
	assert_int_equal(CALL(SBI_EXT_HSM, 0, NULL, 0, RAM, 0), SBI_ERR_ALREADY_AVAILABLE);
	/* suspend: retentive goes on behind the call, the other kind elsewhere */
	assert_int_equal(CALL(SBI_EXT_HSM, 3, NULL, 0), SBI_SUCCESS);
	assert_int_equal(cpu(f, 0)->resets, 0);
	assert_int_equal(CALL(SBI_EXT_HSM, 3, NULL, 0x80000000, 0x1000, 5), SBI_ERR_INVALID_ADDRESS);
	CALL(SBI_EXT_HSM, 3, NULL, 0x80000000, RAM + 0x40, 5);
	assert_int_equal(cpu(f, 0)->resets, 1);
	assert_int_equal(cpu(f, 0)->x[ENGINE_REG_PC], RAM + 0x40);
	assert_int_equal(cpu(f, 0)->x[10], 0);
	assert_int_equal(cpu(f, 0)->x[11], 5);
	assert_int_equal(CALL(SBI_EXT_HSM, 3, NULL, 1), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_HSM, 3, NULL, 0x10000000), SBI_ERR_NOT_SUPPORTED);
	CALL(SBI_EXT_HSM, 1, NULL, 0);
	assert_false(f->vm.cpus[0].started);
	/* a hart that starts again does not see edges from before */
	f->vm.cpus[0].latched = 2;
	assert_int_equal(call_from(f, 1, SBI_EXT_HSM, 0, (const uint64_t[6]){ 0, RAM }, NULL), 0);
	assert_int_equal(f->vm.cpus[0].latched, 0);
}

/* Another hart looks while hart 0 waits. */
static bool look_at_waiter(struct vcpu *v, uint64_t *deadline)
{
	struct fixture *f = (struct fixture *)v->vm;

	assert_int_equal(call_from(f, 1, SBI_EXT_HSM, 2, (const uint64_t[6]){ 0 }, &f->seen), 0);
	return true;
}

static void suspend_keeps_what_is_pending(void **state)
{
	struct fixture *f = *state;
	struct engine_ops engine = fake_engine;
	uint64_t v;

	engine.wait_over = look_at_waiter;
	f->vm.engine = &engine;
	assert_int_equal(CALL(SBI_EXT_HSM, 3, NULL, 0), SBI_SUCCESS);
	assert_int_equal(f->seen, 4);
	cpu(f, 0)->csr[MIP] = 0x222;
	cpu(f, 0)->csr[STIMECMP] = 1234;
	CALL(SBI_EXT_HSM, 3, NULL, 0x80000000, RAM + 0x40, 5);
	assert_int_equal(f->seen, 4);
	assert_int_equal(cpu(f, 0)->resets, 1);
	assert_int_equal(cpu(f, 0)->csr[MIP], 2);
	assert_int_equal(cpu(f, 0)->csr[STIMECMP], 1234);
	call_from(f, 1, SBI_EXT_HSM, 2, (const uint64_t[6]){ 0 }, &v);
	assert_int_equal(v, 0);
	f->vm.engine = &fake_engine;
}

static enum vm_event take_event(struct fixture *f, uint32_t *detail)
{
	enum vm_event ev = f->vm.event;

	*detail = f->vm.event_detail;
	f->vm.event = VM_EVENT_NONE;
	f->vm.cpus[0].started = true;
	return ev;
}

static void srst(void **state)
{
	struct fixture *f = *state;
	uint32_t detail;

	assert_int_equal(CALL(SBI_EXT_SRST, 0, NULL, 3, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_SRST, 0, NULL, 0, 2), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_SRST, 1, NULL, 0, 0), SBI_ERR_NOT_SUPPORTED);
	assert_true(f->vm.cpus[0].started);
	assert_int_equal(take_event(f, &detail), VM_EVENT_NONE);
	CALL(SBI_EXT_SRST, 0, NULL, 0, 0);
	assert_false(f->vm.cpus[0].started);
	assert_int_equal(take_event(f, &detail), VM_EVENT_POWEROFF);
	CALL(SBI_EXT_SRST, 0, NULL, 0, 1);
	assert_int_equal(take_event(f, &detail), VM_EVENT_FAIL);
	assert_int_equal(detail, 1);
	CALL(SBI_EXT_SRST, 0, NULL, 1, 0);
	assert_int_equal(take_event(f, &detail), VM_EVENT_RESET);
	CALL(SBI_EXT_SRST, 0, NULL, 2, 1);
	assert_int_equal(take_event(f, &detail), VM_EVENT_RESET);
	CALL(SBI_EXT_LEGACY_SHUTDOWN, 0, NULL, 0);
	assert_int_equal(take_event(f, &detail), VM_EVENT_POWEROFF);
}

static void stop_loop(struct loop_timer *t)
{
	loop_stop(*(struct loop **)(t + 1));
}

/* Lets the loop move the channel's output, then reads what arrived. */
static size_t console_output(struct fixture *f, char *buf, size_t len)
{
	struct {
		struct loop_timer timer;
		struct loop *loop;
	} stop = { { .fn = stop_loop }, f->vm.loop };
	struct pollfd p = { .fd = f->peer, .events = POLLIN };
	ssize_t n;

	loop_timer_arm(f->vm.loop, &stop.timer, loop_now_ns() + 1000000);
	loop_run(f->vm.loop);
	assert_int_equal(poll(&p, 1, 5000), 1);
	n = read(f->peer, buf, len);
	assert_true(n > 0);
	return (size_t)n;
}

static void dbcn(void **state)
{
	struct fixture *f = *state;
	char buf[64] = "";
	uint64_t v;

	assert_int_equal(gmem_write(&f->vm.mem, RAM + 64, "hello", 5), 0);
	assert_int_equal(CALL(SBI_EXT_DBCN, 0, &v, 5, RAM + 64, 0), SBI_SUCCESS);
	assert_int_equal(v, 5);
	assert_int_equal(CALL(SBI_EXT_DBCN, 2, &v, 0x1221), SBI_SUCCESS);
	assert_int_equal(CALL(SBI_EXT_LEGACY_PUTCHAR, 0, NULL, '\n'), 0);
	assert_int_equal(console_output(f, buf, sizeof(buf)), 7);
	assert_memory_equal(buf, "hello!\n", 7);
	/* buffers that are not the guest's memory */
	assert_int_equal(CALL(SBI_EXT_DBCN, 0, &v, 5, 0x1000, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_DBCN, 0, &v, 5, RAM, 1), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_DBCN, 0, &v, 2, RAM + RAM_SIZE - 1, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_DBCN, 0, &v, UINT64_MAX, RAM, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_DBCN, 1, &v, 4, UART, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_DBCN, 0, &v, 0, 0, 0), SBI_SUCCESS);
	assert_int_equal(v, 0);
	/* reading takes what the UART has received */
	f->input = "abcdef";
	assert_int_equal(CALL(SBI_EXT_DBCN, 1, &v, 4, RAM + 128, 0), SBI_SUCCESS);
	assert_int_equal(v, 4);
	assert_int_equal(gmem_read(&f->vm.mem, RAM + 128, buf, 5), 0);
	assert_memory_equal(buf, "abcd\0", 5);
	assert_int_equal(CALL(SBI_EXT_LEGACY_GETCHAR, 0, NULL, 0), 'e');
	f->lcr = 0x80;	/* offset 0 is the divisor now */
	assert_int_equal(CALL(SBI_EXT_LEGACY_GETCHAR, 0, NULL, 0), -1);
	f->lcr = 0;
	assert_int_equal(CALL(SBI_EXT_LEGACY_GETCHAR, 0, NULL, 0), 'f');
	assert_int_equal(CALL(SBI_EXT_LEGACY_GETCHAR, 0, NULL, 0), -1);
	assert_int_equal(CALL(SBI_EXT_DBCN, 3, &v, 0), SBI_ERR_NOT_SUPPORTED);
}

enum { PMU_NUM, PMU_INFO, PMU_CONFIG, PMU_START, PMU_STOP, PMU_READ, PMU_READ_HI };
enum { ALL_COUNTERS = ((1 << SBI_PMU_COUNTERS) - 1) & ~2, FW = 15 << 16 };

static void pmu_hardware(void **state)
{
	struct fixture *f = *state;
	uint64_t v;

	assert_int_equal(CALL(SBI_EXT_PMU, PMU_NUM, &v, 0), SBI_SUCCESS);
	assert_int_equal(v, SBI_PMU_COUNTERS);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_INFO, &v, 0), SBI_SUCCESS);
	assert_int_equal(v, 0xc00 | 63 << 12);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_INFO, &v, 2), SBI_SUCCESS);
	assert_int_equal(v, 0xc02 | 63 << 12);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_INFO, &v, 1), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_INFO, &v, SBI_PMU_COUNTERS), SBI_ERR_INVALID_PARAM);
	/* cycles and instructions each have their counter */
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &v, 0, ALL_COUNTERS, 2, 1, 0), SBI_SUCCESS);
	assert_int_equal(v, SBI_PMU_CYCLE);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &v, 0, ALL_COUNTERS, 0, 1, 0),
			 SBI_ERR_NOT_SUPPORTED);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &v, 0, ALL_COUNTERS, 0, 2, 0), SBI_SUCCESS);
	assert_int_equal(v, SBI_PMU_INSTRET);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &v, 0, ALL_COUNTERS, 0, 3, 0),
			 SBI_ERR_NOT_SUPPORTED);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &v, 0, 1, 0, 1 << 20, 0),
			 SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &v, 1, 1, 0, 1, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &v, SBI_PMU_COUNTERS, 1, 0, 1, 0),
			 SBI_ERR_INVALID_PARAM);
	/* start and stop work on mcountinhibit */
	cpu(f, 0)->csr[MCOUNTINHIBIT] = 5;
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_START, NULL, 0, 5, 1, 1000), SBI_SUCCESS);
	assert_int_equal(cpu(f, 0)->csr[MCYCLE], 1000);
	assert_int_equal(cpu(f, 0)->csr[MINSTRET], 1000);
	assert_int_equal(cpu(f, 0)->csr[MCOUNTINHIBIT], 0);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_START, NULL, 0, 1, 0), SBI_ERR_ALREADY_STARTED);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_START, NULL, 0, 1, 2), SBI_ERR_NO_SHMEM);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_STOP, NULL, 0, 1, 0), SBI_SUCCESS);
	assert_int_equal(cpu(f, 0)->csr[MCOUNTINHIBIT], 1);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_STOP, NULL, 0, 1, 1), SBI_ERR_ALREADY_STOPPED);
	/* reset by the stop: not set up any more */
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_START, NULL, 0, 1, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_READ, &v, 0), SBI_ERR_INVALID_PARAM);
	assert_int_equal(CALL(SBI_EXT_PMU, 7, &v, 0), SBI_ERR_NOT_SUPPORTED);
}

static void pmu_firmware(void **state)
{
	struct fixture *f = *state;
	uint64_t n, v;

	/* take a counter for set_timer calls, clear and start it */
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &n, 0, ALL_COUNTERS, 6,
			      FW | SBI_FW_SET_TIMER, 0), SBI_SUCCESS);
	assert_int_equal(n, SBI_PMU_FIRST_FW);
	for (unsigned i = 0; i < 3; i++)
		CALL(SBI_EXT_TIME, 0, NULL, 1);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_READ, &v, n), SBI_SUCCESS);
	assert_int_equal(v, 3);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_STOP, NULL, n, 1, 0), SBI_SUCCESS);
	CALL(SBI_EXT_TIME, 0, NULL, 1);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_READ, &v, n), SBI_SUCCESS);
	assert_int_equal(v, 3);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_START, NULL, n, 1, 1, 100), SBI_SUCCESS);
	CALL(SBI_EXT_TIME, 0, NULL, 1);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_READ, &v, n), SBI_SUCCESS);
	assert_int_equal(v, 101);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_READ_HI, &v, n), SBI_SUCCESS);
	assert_int_equal(v, 0);
	/* what another hart sends is counted where it arrives */
	f->vm.cpus[1].started = true;
	assert_int_equal(call_from(f, 1, SBI_EXT_PMU, PMU_CONFIG, (const uint64_t[6]){
			 0, ALL_COUNTERS, 6, FW | SBI_FW_IPI_RECEIVED, 0 }, &n), SBI_SUCCESS);
	CALL(SBI_EXT_IPI, 0, NULL, 2, 0);
	assert_int_equal(call_from(f, 1, SBI_EXT_PMU, PMU_READ, (const uint64_t[6]){ n }, &v),
			 SBI_SUCCESS);
	assert_int_equal(v, 1);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &n, 0, ALL_COUNTERS, 0, FW | SBI_FW_EVENTS, 0),
			 SBI_ERR_NOT_SUPPORTED);
	/* a firmware event does not fit a hardware counter */
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_CONFIG, &n, 0, 1, 1, FW | SBI_FW_SET_TIMER, 0),
			 SBI_ERR_NOT_SUPPORTED);
	assert_int_equal(CALL(SBI_EXT_PMU, PMU_READ, &v, SBI_PMU_COUNTERS), SBI_ERR_INVALID_PARAM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(base, setup, teardown),
		cmocka_unit_test_setup_teardown(timer, setup, teardown),
		cmocka_unit_test_setup_teardown(ipis, setup, teardown),
		cmocka_unit_test_setup_teardown(rfence, setup, teardown),
		cmocka_unit_test_setup_teardown(hsm, setup, teardown),
		cmocka_unit_test_setup_teardown(suspend_keeps_what_is_pending, setup, teardown),
		cmocka_unit_test_setup_teardown(srst, setup, teardown),
		cmocka_unit_test_setup_teardown(dbcn, setup, teardown),
		cmocka_unit_test_setup_teardown(pmu_hardware, setup, teardown),
		cmocka_unit_test_setup_teardown(pmu_firmware, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
