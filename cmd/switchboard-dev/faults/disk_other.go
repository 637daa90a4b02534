//go:build !linux

package faults

import "errors"

// disk holds Postgres' data. It can only be filled on Linux.
type disk struct{}

func newDisk(string) (*disk, error) { return &disk{}, nil }

func (*disk) fill(int) error  { return errors.New("disks are filled up on Linux only") }
func (*disk) room() error     { return nil }
func (*disk) empty(int) error { return nil }
func (*disk) remove() error   { return nil }
