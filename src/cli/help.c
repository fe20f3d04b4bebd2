/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <string.h>

enum { WIDTH = 80, INDENT = 22 };

const char help_about[] =
	"hospes runs virtual machines: whole computers with CPUs, memory, disks and a network card, "
	"inside sandboxed processes of this host. It needs no daemon, and no root.";

const struct command_note help_common_exits[] = {
	{ "0", "It worked." },
	{ "1", "It could not be done; standard error says why." },
	{ "2", "The command line was wrong; standard error says how." },
	{ NULL, NULL },
};

const struct command_note help_environment[] = {
	{ "HOSPES_HOME",
	  "The folder of the store, where images and VMs live. Without it, root has /var/lib/hospes, "
	  "anybody else $XDG_DATA_HOME/hospes or ~/.local/share/hospes." },
	{ "XDG_RUNTIME_DIR",
	  "Where the sockets of running VMs lie, in a folder hospes; root has /run/hospes, and who has no such "
	  "variable /tmp/hospes-UID." },
	{ NULL, NULL },
};

const struct command_note help_files[] = {
	{ "images/NAME.json", "In the store: what an image is." },
	{ "images/sha256-HEX/disk.raw", "Its disk; images/NAME.raw where tools/build-image made it." },
	{ "store.db", "In the store: which VMs there are, their names and ids." },
	{ "vms/ID/config.json", "In the store: a VM's whole configuration." },
	{ "vms/ID/disk0.raw", "A VM's own copy of its image." },
	{ "vms/ID/exit.json", "How a VM ended, the last time it did." },
	{ "vms/ID/supervisor.log", "What the processes of a VM in the background had to say." },
	{ "vms/ID/console.log, vms/ID/console.log.1",
	  "What a VM wrote to its console, the latest at the end; 8 MiB at most." },
	{ NULL, NULL },
};

/* Prints text wrapped to WIDTH; the cursor stands at column, following lines begin at indent. */
static void wrap(FILE *out, const char *text, int column, int indent)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > indent && column + (int)len + 1 > WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, len, out);
		column += (int)len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* A term in the left column and its text in the right one. */
static void entry(FILE *out, const char *term, const char *text)
{
	int used = fprintf(out, "  %s", term);

	if (used > INDENT - 2)
		fprintf(out, "\n%*s", INDENT, "");
	else
		fprintf(out, "%*s", INDENT - used, "");
	wrap(out, text, INDENT, INDENT);
}

static void notes(FILE *out, const char *heading, const struct command_note *n)
{
	if (!n || !n->term)
		return;
	fprintf(out, "\n%s:\n", heading);
	for (; n->term; n++)
		entry(out, n->term, n->text);
}

static void options(FILE *out, const struct opt *o)
{
	char term[96];

	if (o->name)
		fputs("\nOptions:\n", out);
	for (; o->name || o->help; o++) {
		if (!o->name) {
			fprintf(out, "\n%s:\n", o->help);
			continue;
		}
		snprintf(term, sizeof(term), "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			 o->metavar ? " " : "", o->metavar ? o->metavar : "");
		entry(out, term, o->help);
	}
}

static void examples(FILE *out, const struct command_note *n)
{
	if (!n)
		return;
	fputs("\nExamples:\n", out);
	for (; n->term; n++) {
		fprintf(out, "  %s\n      ", n->term);
		wrap(out, n->text, 6, 6);
	}
}

void help_overview(FILE *out)
{
	fputs("usage: hospes COMMAND [ARGUMENT]...\n\n", out);
	wrap(out, help_about, 0, 0);
	fputs("\nCommands:\n", out);
	for (const struct command *const *c = command_all(); *c; c++)
		entry(out, (*c)->name, (*c)->summary);
	fputs("\n'hospes help COMMAND' says more about one of them.\n", out);
}

void help_command(FILE *out, const struct command *c)
{
	fprintf(out, "usage: hospes %s%s%s%s\n\n", c->name, c->opts->name || c->opts->help
		? " [OPTION]..." : "", *c->operands ? " " : "", c->operands);
	for (const char *const *p = c->about; p && *p; p++) {
		if (p != c->about)
			fputc('\n', out);
		wrap(out, *p, 0, 0);
	}
	options(out, c->opts);
	notes(out, "Exit status", c->exits ? c->exits : help_common_exits);
	notes(out, "Environment", help_environment);
	examples(out, c->examples);
}
