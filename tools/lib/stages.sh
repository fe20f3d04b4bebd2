# SPDX-License-Identifier: Apache-2.0
# Sourced by the bash tools: named stages with their elapsed time.
#
# On a terminal a stage shows one line that lives (spinner, seconds, the last line its
# command wrote); anywhere else it writes one line when it begins and one when it ends.
# What the command writes goes to $STAGE_LOG and is shown only when the stage fails.

STAGE_LOG=${STAGE_LOG:-}
STAGE_PID=

say() { printf '%s\n' "$*"; }

# die SENTENCE...: the sentence goes to standard error, exit status 1.
die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# stage_line MARK NAME SECONDS [DETAIL]: redraw the live line, cut to the terminal's width.
stage_line()
{
	local width text
	width=$(tput cols 2>/dev/null || echo 80)
	text="  $1 $2 (${3}s)${4:+  $4}"
	printf '\r\033[K%s' "${text:0:width-1}"
}

# stage_watch NAME: draw the live line of the stage until its process $STAGE_PID ends.
stage_watch()
{
	local marks='|/-\' i=0 last
	while kill -0 "$STAGE_PID" 2>/dev/null; do
		last=$(tail -c 400 "$STAGE_LOG" | tr '\r' '\n' | tr -cd '[:print:]\n' |
			sed -n '/./h; ${x;p}')
		stage_line "${marks:i++%4:1}" "$1" $((SECONDS - stage_began)) "$last"
		sleep 0.2
	done
}

# stage_start COMMAND...: run it in the background, in a process group of its own, with its
# output in the log; $STAGE_PID is its leader.
stage_start()
{
	set -m
	"$@" >>"$STAGE_LOG" 2>&1 </dev/null &
	STAGE_PID=$!
	set +m
}

# stage_stop: end the stage that runs, if one does, with all its processes. The first
# process of a namespace heeds nothing less than SIGKILL.
stage_stop()
{
	local tries=0
	[ -n "$STAGE_PID" ] || return 0
	kill -TERM -- "-$STAGE_PID" 2>/dev/null || true
	while kill -0 -- "-$STAGE_PID" 2>/dev/null && [ $((tries++)) -lt 10 ]; do
		sleep 0.1
	done
	kill -KILL -- "-$STAGE_PID" 2>/dev/null || true
	wait "$STAGE_PID" 2>/dev/null || true
	STAGE_PID=
}

# stage_interrupt: have the stage that runs, if one does, end as Ctrl-C would, and wait for
# it, however long it takes: for commands that must not be killed.
stage_interrupt()
{
	[ -n "$STAGE_PID" ] || return 0
	kill -INT -- "-$STAGE_PID" 2>/dev/null || true
	wait "$STAGE_PID" 2>/dev/null || true
	STAGE_PID=
}

# stage NAME COMMAND...: run the command; its status is the stage's. The end of its
# output is shown when it fails, unless a full disk says it all. In a function given
# as the command set -e has no effect where stage stands before ||: say || return there.
stage()
{
	local name=$1 rc=0 stage_began=$SECONDS began_at=0
	shift
	[ -n "$STAGE_LOG" ] || die "stage: STAGE_LOG names no file"
	began_at=$(stat -c %s "$STAGE_LOG" 2>/dev/null || echo 0)
	printf '=== %s\n' "$name" >>"$STAGE_LOG"
	if [ -t 1 ]; then
		stage_start "$@"
		stage_watch "$name"
		wait "$STAGE_PID" || rc=$?
		STAGE_PID=
		printf '\r\033[K'
	else
		say "  ... $name"
		stage_start "$@"
		wait "$STAGE_PID" || rc=$?
		STAGE_PID=
	fi
	if [ "$rc" = 0 ]; then
		say "  ok  $name ($((SECONDS - stage_began))s)"
		return 0
	fi
	say "  --  $name failed ($((SECONDS - stage_began))s)"
	tail -c +"$((began_at + 1))" "$STAGE_LOG" | grep -qi 'no space left on device' ||
		tail -c +"$((began_at + 1))" "$STAGE_LOG" | tail -n 20 | sed 's/^/      /' >&2
	return "$rc"
}
