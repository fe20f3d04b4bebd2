# SPDX-License-Identifier: Apache-2.0
"""How to run a bare-metal program of the virt board under hospes and under QEMU."""

# Vectors and the hypervisor extension are on by default there; the counters are all there
QEMU_CPU = ('rv64,h=off,pmu-num=29,zba=on,zbb=on,zbc=on,zbs=on,Zfh=on,svinval=on,svnapot=on,'
            'svpbmt=on,sstc=on')


def qemu(program, elf, harts):
    # Two harts at least: with one QEMU makes an AMO a load and a store, and so its faults
    return [program, '-M', 'virt', '-cpu', QEMU_CPU, '-m', '64M', '-smp', str(max(harts, 2)),
            '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-bios', elf]


def hospes(program, elf, harts):
    return [program, 'run', '--firmware', elf, '--cpus', str(harts), '-m', '64M']
