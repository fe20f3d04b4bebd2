# SPDX-License-Identifier: Apache-2.0
# Sourced by the bash tools: running riscv64 programs of a chroot with qemu-user.
#
# The kernel starts them through a binfmt_misc handler with flag F (it holds the emulator
# open, so a chroot needs no copy). Three ways, tried in this order: the host has such a
# handler; a user namespace mounts a binfmt_misc of its own (Linux 6.7 and later), which
# changes nothing for the host; root mounts and registers it for the whole host.

BINFMT_EMULATOR=/usr/bin/qemu-riscv64-static

# binfmt_ready: true when the host has an enabled riscv64 handler with flag F.
binfmt_ready()
{
	local f
	for f in /proc/sys/fs/binfmt_misc/*; do
		case ${f##*/} in register | status | '*') continue ;; esac
		grep -q '^enabled' "$f" && grep -q '^flags:.*F' "$f" &&
			grep -q '^magic 7f454c460201010.*02*00f300$' "$f" && return 0
	done
	return 1
}

# binfmt_register DIR: mount binfmt_misc at DIR where it is not, and register the handler.
# For root, or for root of a user namespace. Prints why not on standard error.
binfmt_register()
{
	local dir=$1 magic mask
	magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00'
	mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
	[ -e "$dir/register" ] || mount -t binfmt_misc binfmt_misc "$dir" || return 1
	[ ! -e "$dir/qemu-riscv64" ] || return 0
	printf '%s' ":qemu-riscv64:M::$magic:$mask:$BINFMT_EMULATOR:OCPF" >"$dir/register"
}

# binfmt_private_possible: true when we may have a user namespace with its own binfmt_misc.
binfmt_private_possible()
{
	unshare --user --map-root-user --mount -- mount -t binfmt_misc binfmt_misc \
		/proc/sys/fs/binfmt_misc 2>/dev/null
}

binfmt_remedy()
{
	echo "no riscv64 binary handler: as root run 'mount -t binfmt_misc binfmt_misc" \
		"/proc/sys/fs/binfmt_misc' and then 'tools/setup image' (or 'systemctl restart" \
		"systemd-binfmt' where systemd runs), or use Linux 6.7 or later with user namespaces"
}
