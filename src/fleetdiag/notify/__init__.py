# SPDX-License-Identifier: GPL-3.0-or-later
"""The voice: from the news of a named sweep to messages in its outbox, and from there to receivers.

One file for each kind of receiver, with `send(settings, message)`, which runs in a process of its own. Nothing here
changes the exit code of a sweep.
"""
