"""This will show the whole of Berth on one machine: everything a renter touches is real."""
