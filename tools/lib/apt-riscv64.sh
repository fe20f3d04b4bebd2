# SPDX-License-Identifier: Apache-2.0
# Sourced by the bash tools: apt for Debian 13 riscv64 beside the system's own apt, with a
# state folder of its own and the mirror of the system's apt sources. Needs stages.sh.

SUITE=trixie
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# apt_cache: the user's cache for packages and lists of the suite.
apt_cache() { printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/hospes/$SUITE-riscv64"; }

# system_source MATCH: the URI of the system's Debian source whose release matches the
# regular expression; those known to be of the archive itself come first.
system_source()
{
	apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
		'Created-By: Packages' | awk -F'|' -v match_="^($1)\$" '
			$3 ~ match_ && $4 == "main" && $2 !~ /^cdrom:/ {
				print ($1 == "Debian" ? 0 : $2 ~ /debian/ ? 1 : 2) "|" $2
			}' | sort -s -t'|' -k1,1 | head -n 1 | cut -d'|' -f2
}

# apt_configure DIR CACHE: write DIR/apt/apt.conf and DIR/apt/sources.list; lists and
# packages are kept in CACHE. APT_MIRROR and APT_SECURITY name what was found.
apt_configure()
{
	local codename keys=" [signed-by=$KEYRING]"
	mkdir -p "$2/lists/partial" "$2/archives/partial" "$1/apt"
	: >"$1/apt/status"
	apt-config dump | grep '^Acquire::' >"$1/apt/apt.conf" || true
	cat >>"$1/apt/apt.conf" <<-END
	Dir::Etc::main "/dev/null";
	Dir::Etc::parts "/dev/null";
	Dir::Etc::sourcelist "$1/apt/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::State "$1/apt";
	Dir::State::status "$1/apt/status";
	Dir::State::lists "$2/lists";
	Dir::Cache "$1/apt";
	Dir::Cache::archives "$2/archives";
	APT::Architecture "riscv64";
	APT::Architectures { "riscv64"; };
	APT::Install-Recommends "false";
	APT::Sandbox::User "root";
	Acquire::Languages "none";
	Acquire::Retries "3";
	Debug::NoLocking "true";
	END
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
	APT_MIRROR=${HOSPES_MIRROR:-$(system_source "$codename|stable|$SUITE")}
	APT_SECURITY=$(system_source "($codename|stable|$SUITE)-security")
	[ -n "$APT_MIRROR" ] || die "the system's apt sources name no Debian mirror;" \
		"set HOSPES_MIRROR to one"
	{
		echo "deb$keys $APT_MIRROR $SUITE main"
		[ -z "$APT_SECURITY" ] || echo "deb$keys $APT_SECURITY $SUITE-security main"
	} >"$1/apt/sources.list"
}

# apt_update DIR CACHE: with the security archive where it answers, without it otherwise;
# the lists of last time do where no mirror answers. APT_CONFIG is DIR/apt/apt.conf. Without
# --error-on=any apt-get calls it a success when nothing could be fetched.
apt_update()
{
	apt-get update --error-on=any && return
	echo "trying the main archive alone"
	sed -i "/ $SUITE-security main/d" "$1/apt/sources.list"
	apt-get update --error-on=any && return
	[ -n "$(ls "$2"/lists/*_Packages* 2>/dev/null)" ] || return 1
	echo "the mirror cannot be reached; going on with the lists of last time"
}
