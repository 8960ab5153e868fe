"""The stores of a home: LevelDB, room on the disk, fsck, backup, restore."""
