# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that run a command on the host, each hidden in another way: {what hides it: (script, arguments)}."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, list[str]]] = {
    "nothing": ('probe begin { system("id") }', []),
    "a comment": ('probe begin { system /* x */ // y\n ("id") }', []),
    "a macro that is the bracket": ('@define lp %( ( %)\nprobe begin { system @lp "id") }', []),
    "a macro that is the call": ('@define run(x) %( ( @x ) %)\nprobe begin { system @run("id") }', []),
    "a macro that is the name": ('@define s %( system %)\nprobe begin { @s("id") }', []),
    "a macro that is given the name": ('@define c(x) %( @x("id") %)\nprobe begin { @c(system) }', []),
    "a choice of the bracket": ('probe begin { system %( 1 == 1 %? ( %) "id") }', []),
    "a choice of the name": ('probe begin {\n%( 1 == 1 %? system %: x %) ("id") }', []),
    "a function of that name": ('function system(a:string) { next } probe begin { system("id") }', []),
    "a function of that name, with more": (
        'function system(a:string, b:long) { println(a) } probe begin { system("id") }',
        [],
    ),
    "a function made by a macro": (
        '@define f %( function %)\n@f run() { system("id") } probe begin { run() }',
        [],
    ),
    "name and bracket in arguments": ("probe begin { $1(@2) }", ["system", "id"]),
    "a bracket in an argument": ('probe begin { system $1 "id") }', ["("]),
    "half a name in an argument": ('probe begin { $1tem("id") }', ["sys"]),
    "an argument that begins a comment": (
        'global x probe begin { x = $1 "*/ 0; system(@2) //"\n println(x) }',
        ["/*", "id"],
    ),
    "a statement in an argument": ("probe begin { println(1) $1 }", ['system("id")']),
    "an argument that ends a comment's hiding": (
        'probe begin { println($1 "" */ 1) system("id") //")\n }',
        ["/*"],
    ),
}

HARMLESS: dict[str, tuple[str, list[str]]] = {
    "a text": ('probe begin { println("system(1)") }', []),
    "a comment": ('probe begin { println(1) /* system("id") */ }', []),
    "a variable": ("global system probe begin { system = 1 println(system + 1, system) }", []),
    "an argument that is a text": ("probe begin { println(@1) }", ['system("id")']),
    "an argument that is a path": ("probe begin { println(@1) println(@2) }", ["/var/www/*", "*/"]),
}
