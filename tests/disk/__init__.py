"""Power cuts, full and failing disks, flipped bits: the real store on a disk that fails."""
