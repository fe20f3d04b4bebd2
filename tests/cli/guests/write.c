/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the last sector of the disk in the first virtio-mmio slot (virtio 1.2 §4.2), prints the
 * status byte it gets as a digit, and powers off. A driver as small as one can be: one queue, one
 * request, no interrupts.
 */
#include <stdint.h>

#define UART ((volatile uint8_t *)0x10000000)
#define TEST_DEVICE ((volatile uint32_t *)0x100000)
#define VIRTIO(offset) (*(volatile uint32_t *)(uintptr_t)(0x10001000 + (offset)))

enum {
	FEATURES = 0x20, FEATURES_SEL = 0x24, QUEUE_NUM = 0x38, QUEUE_READY = 0x44, NOTIFY = 0x50,
	STATUS = 0x70, DESC = 0x80, AVAIL = 0x90, USED = 0xa0, CAPACITY = 0x100,
	ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8,
	NEXT = 1, WRITE = 2, OUT = 1, ENTRIES = 4, PASS = 0x5555,
};

static struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
} desc[ENTRIES] __attribute__((aligned(16)));

static volatile struct {
	uint16_t flags, index, ring[ENTRIES], event;
} avail;

static volatile struct {
	uint16_t flags, index;
	struct { uint32_t id, len; } ring[ENTRIES];
} used __attribute__((aligned(4)));

static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;
static uint8_t data[512];
static volatile uint8_t status = 0xff;

__asm__(".section .text.start, \"ax\"\n"
	".globl _start\n"
	"_start: csrr t0, mhartid\n"
	"	bnez t0, 1f\n"
	"	la sp, stack_top\n"
	"	j work\n"
	"1:	wfi\n"
	"	j 1b\n"
	".bss\n"
	".balign 16\n"
	"	.space 4096\n"
	"stack_top:\n"
	".text\n");

static void place(unsigned reg, const volatile void *p)
{
	VIRTIO(reg) = (uint32_t)(uintptr_t)p;
	VIRTIO(reg + 4) = (uint32_t)((uintptr_t)p >> 32);
}

void work(void);

void work(void)
{
	VIRTIO(STATUS) = 0;
	VIRTIO(STATUS) = ACKNOWLEDGE | DRIVER;
	VIRTIO(FEATURES_SEL) = 1;
	VIRTIO(FEATURES) = 1;		/* VIRTIO_F_VERSION_1 */
	VIRTIO(STATUS) = ACKNOWLEDGE | DRIVER | FEATURES_OK;
	VIRTIO(QUEUE_NUM) = ENTRIES;
	place(DESC, desc);
	place(AVAIL, &avail);
	place(USED, &used);
	VIRTIO(QUEUE_READY) = 1;
	VIRTIO(STATUS) = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;

	header.type = OUT;
	header.sector = (VIRTIO(CAPACITY) | (uint64_t)VIRTIO(CAPACITY + 4) << 32) - 1;
	desc[0] = (struct desc){ (uintptr_t)&header, sizeof(header), NEXT, 1 };
	desc[1] = (struct desc){ (uintptr_t)data, sizeof(data), NEXT, 2 };
	desc[2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
	avail.ring[0] = 0;
	__sync_synchronize();
	avail.index = 1;
	__sync_synchronize();
	VIRTIO(NOTIFY) = 0;
	while (used.index == 0)
		;
	__sync_synchronize();
	*UART = (uint8_t)('0' + status);
	*UART = '\r';
	*UART = '\n';
	*TEST_DEVICE = PASS;
	for (;;)
		;
}
