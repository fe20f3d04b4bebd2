/* SPDX-License-Identifier: Apache-2.0 */
/* The engines this build has: one line each in engines.def. */
#ifndef VMM_ENGINES_H
#define VMM_ENGINES_H

#include "core/engine.h"

/* The engine of that name for guests of that architecture, or NULL. */
const struct engine_ops *engine_find(const char *name, const char *arch);

#endif
