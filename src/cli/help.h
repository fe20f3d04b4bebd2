/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts and man pages, made from the descriptions of the commands (cli/command.h). */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

/* What `hospes help` prints: every command with its line. */
void help_overview(FILE *out);

/* What `hospes help COMMAND` and `hospes COMMAND --help` print. */
void help_command(FILE *out, const struct command *c);

/* The same two as man pages (man(7)): hospes(1) and hospes-COMMAND(1). */
void man_overview(FILE *out);
void man_command(FILE *out, const struct command *c);

/* Shared by both: exit statuses of commands that bring none of their own; a zeroed row ends them. */
extern const struct command_note help_common_exits[];
/* Environment variables and files that every command knows. */
extern const struct command_note help_environment[];
extern const struct command_note help_files[];
/* Two sentences about the whole program. */
extern const char help_about[];

#endif
