/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <ctype.h>
#include <string.h>

/* Text as man(7) wants it: nothing in it is taken for a request or an escape. */
static void text(FILE *out, const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", out);
	for (; *s; s++)
		switch (*s) {
		case '\\':
			fputs("\\e", out);
			break;
		case '-':
			fputs("\\-", out);
			break;
		case '\'':
			fputs("\\(aq", out);
			break;
		case '~':
			fputs("\\(ti", out);
			break;
		default:
			fputc(*s, out);
		}
}

static void line(FILE *out, const char *s)
{
	text(out, s);
	fputc('\n', out);
}

static void heading(FILE *out, const char *name)
{
	fprintf(out, ".SH %s\n", name);
}

static void tagged(FILE *out, const char *term, const char *body)
{
	fputs(".TP\n\\fB", out);
	text(out, term);
	fputs("\\fR\n", out);
	line(out, body);
}

static void notes(FILE *out, const char *name, const struct command_note *n)
{
	if (!n || !n->term)
		return;
	heading(out, name);
	for (; n->term; n++)
		tagged(out, n->term, n->text);
}

static void title(FILE *out, const char *name, const char *summary)
{
	fputs(".\\\" SPDX-License-Identifier: Apache-2.0\n.TH ", out);
	for (const char *s = name; *s; s++)
		fputc(toupper((unsigned char)*s), out);
	fputs(" 1 \"\" \"hospes " HOSPES_VERSION "\" \"hospes\"\n", out);
	heading(out, "NAME");
	text(out, name);
	fputs(" \\- ", out);
	line(out, summary);
	heading(out, "SYNOPSIS");
}

static void option(FILE *out, const struct opt *o)
{
	if (!o->name) {
		fputs(".SS ", out);
		line(out, o->help);
		return;
	}
	fputs(".TP\n", out);
	if (o->letter) {
		fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
	}
	fputs("\\fB\\-\\-", out);
	text(out, o->name);
	fputs("\\fR", out);
	if (o->metavar) {
		fputs(" \\fI", out);
		text(out, o->metavar);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	line(out, o->help);
}

static void options(FILE *out, const struct opt *o)
{
	if (!o->name && !o->help)
		return;
	heading(out, "OPTIONS");
	for (; o->name || o->help; o++)
		option(out, o);
	tagged(out, "-h, --help", "Prints a help text and ends.");
}

static void examples(FILE *out, const struct command_note *n)
{
	if (!n)
		return;
	heading(out, "EXAMPLES");
	for (; n->term; n++)
		tagged(out, n->term, n->text);
}

void man_overview(FILE *out)
{
	title(out, "hospes", "virtual machines on this host");
	fputs("\\fBhospes\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...\n", out);
	heading(out, "DESCRIPTION");
	line(out, help_about);
	heading(out, "COMMANDS");
	for (const struct command *const *c = command_all(); *c; c++)
		tagged(out, (*c)->name, (*c)->summary);
	notes(out, "EXIT STATUS", help_common_exits);
	notes(out, "ENVIRONMENT", help_environment);
	notes(out, "FILES", help_files);
	heading(out, "SEE ALSO");
	for (const struct command *const *c = command_all(); *c; c++)
		if (strcmp((*c)->name, "help") && strcmp((*c)->name, "version"))
			fprintf(out, ".BR hospes\\-%s (1),\n", (*c)->name);
	fputs(".BR hospes\\-vm (8),\n.BR hospes\\-net (8)\n", out);
}

void man_command(FILE *out, const struct command *c)
{
	char name[64];

	snprintf(name, sizeof(name), "hospes-%s", c->name);
	title(out, name, c->summary);
	fprintf(out, "\\fBhospes %s\\fR", c->name);
	if (c->opts->name || c->opts->help)
		fputs(" [\\fIOPTION\\fR]...", out);
	if (*c->operands) {
		fputc(' ', out);
		text(out, c->operands);
	}
	fputc('\n', out);
	heading(out, "DESCRIPTION");
	for (const char *const *p = c->about; p && *p; p++) {
		fputs(".PP\n", out);
		line(out, *p);
	}
	options(out, c->opts);
	notes(out, "EXIT STATUS", c->exits ? c->exits : help_common_exits);
	notes(out, "ENVIRONMENT", help_environment);
	notes(out, "FILES", help_files);
	examples(out, c->examples);
	heading(out, "SEE ALSO");
	fputs(".BR hospes (1),\n.BR hospes\\-vm (8)\n", out);
}
