"""This will say what bounds a terminal in a browser, and why one ends."""

#: that one person has open at once: in one rental, and in all
OPEN_A_RENTAL_MAX, OPEN_A_PERSON_MAX = 8, 16
#: and all people of a team together
OPEN_A_TEAMS_RENTAL_MAX, OPEN_A_TEAM_MAX = 24, 64
#: nothing was typed for so long, or it was open for so long: then it ends
IDLE_S_MAX, OPEN_S_MAX = 1800, 12 * 3600
#: a process that is alive says so this often; one that has not for so long is gone
SEEN_EVERY_S, STALE_S = 20, 90
#: what a window may be, in characters
COLUMNS_MAX, ROWS_MAX = 500, 300

#: why it ended, in one sentence; what nobody reads any more has none
END = {
    "exited": "The shell has ended.",
    "left": "",
    "lost": "",
    "idle": f"Nothing was typed for {IDLE_S_MAX // 60} minutes, so the terminal was closed.",
    "too_long": f"A terminal is open for {OPEN_S_MAX // 3600} hours at most. Open another one.",
    "logged_out": "You are no longer logged in here, so the terminal was closed.",
    "rental_over": "The rental no longer runs, so the terminal was closed.",
    "unreachable": "The rental's SSH does not answer. Try again in a moment.",
    "not_admitted": "The machine has not let the terminal in yet. Try again in a moment.",
    "wrong_host_key": (
        "What answers there is not this rental: it showed another host key. Nothing was sent."
    ),
    "broken": "The connection to the rental broke.",
    "malformed": "The page sent what a terminal does not send. Load it again.",
    "refused": "",
}
#: after these another try may go better without anybody doing anything
MAY_PASS = frozenset({"unreachable", "not_admitted", "broken"})
