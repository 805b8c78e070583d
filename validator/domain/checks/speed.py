"""This will compare the speed of disk and network with what renters may expect."""

from validator.domain.checks.sources import Found, Sources, odd, ok, unknown

#: a hard disk writes more, and reads far fewer blocks from random places
DISK_WRITE_MB_S_MIN = 100
DISK_READS_S_MIN = 500
#: about 50 Mbit/s: what is measured begins slowly, and a far line is faster than it shows
NETWORK_MB_S_MIN = 6


def disk(sources: Sources) -> Found:
    """Compare the disk with a slow SSD."""
    measured = sources.measured
    if measured is None or not measured.disk_write_mb_s:
        return unknown("Not measured at this look.")
    told = (
        f"Writes {measured.disk_write_mb_s:,} MB/s, reads {measured.disk_reads_s:,} blocks of 4 KiB"
        " a second"
    )
    slow = measured.disk_write_mb_s < DISK_WRITE_MB_S_MIN
    if slow or measured.disk_reads_s < DISK_READS_S_MIN:
        return odd(f"{told}; {DISK_WRITE_MB_S_MIN} and {DISK_READS_S_MIN} are expected.")
    return ok(f"{told}.")


def network(sources: Sources) -> Found:
    """Compare the line with one of 50 Mbit/s."""
    measured = sources.measured
    if measured is None or not measured.network_down_mb_s:
        return unknown("Not measured at this look.")
    told = (
        f"At least {measured.network_down_mb_s:,} MB/s to the machine and"
        f" {measured.network_up_mb_s:,} MB/s from it"
    )
    if min(measured.network_down_mb_s, measured.network_up_mb_s) < NETWORK_MB_S_MIN:
        return odd(f"{told}; {NETWORK_MB_S_MIN} are expected.")
    return ok(f"{told}.")
