// SPDX-License-Identifier: GPL-3.0-or-later
//
// Print the functions of which a program with DWARF (its argument) has inline copies, some of them several times.
// For the lists in report/inlined; SystemTap says the same (stap -l 'kernel.function("*").inline') in a quarter of an hour.

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned char *inlined; // by the offset of the entry that says what the function is
static const size_t limit = 1UL << 31;

static void note(Dwarf_Die *copy)
{
	Dwarf_Attribute origin;
	Dwarf_Die function;

	if (dwarf_attr(copy, DW_AT_abstract_origin, &origin) && dwarf_formref_die(&origin, &function)
	    && dwarf_dieoffset(&function) < limit)
		inlined[dwarf_dieoffset(&function)] = 1;
}

static void walk(Dwarf_Die *entry)
{
	Dwarf_Die child;

	do {
		int tag = dwarf_tag(entry);
		int code = dwarf_hasattr(entry, DW_AT_low_pc) || dwarf_hasattr(entry, DW_AT_ranges);

		if (tag == DW_TAG_inlined_subroutine)
			note(entry);
		else if (tag != DW_TAG_lexical_block && (tag != DW_TAG_subprogram || !code))
			continue;
		if (dwarf_child(entry, &child) == 0)
			walk(&child);
	} while (dwarf_siblingof(entry, entry) == 0);
}

int main(int count, char **words)
{
	Dwarf *dwarf = count == 2 ? dwarf_begin(open(words[1], O_RDONLY), DWARF_C_READ) : NULL;
	Dwarf_CU *unit = NULL;
	Dwarf_Die entry, child;

	inlined = calloc(limit, 1);
	if (!dwarf || !inlined)
		return 1;
	while (dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &entry, NULL) == 0)
		if (dwarf_child(&entry, &child) == 0)
			walk(&child);
	for (size_t at = 0; at < limit; at++)
		if (inlined[at] && dwarf_offdie(dwarf, at, &entry) && dwarf_diename(&entry))
			puts(dwarf_diename(&entry));
	return 0;
}
