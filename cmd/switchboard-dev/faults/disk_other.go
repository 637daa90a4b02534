//go:build !linux

package faults

import "errors"

// disk is where Postgres' data are. Only on Linux it can be filled up here.
type disk struct{}

func newDisk(string) (*disk, error) { return &disk{}, nil }

func (*disk) fill(int) error  { return errors.New("disks are filled up on Linux only") }
func (*disk) room() error     { return nil }
func (*disk) empty(int) error { return nil }
func (*disk) remove() error   { return nil }
