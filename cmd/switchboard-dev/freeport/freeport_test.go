package freeport

import "testing"

// TestAddress: no port is given out twice, neither by one process nor by two.
func TestAddress(t *testing.T) {
	t.Parallel()
	var one, another finder
	t.Cleanup(func() {
		for _, l := range append(one.held, another.held...) {
			_ = l.Close()
		}
	})
	given := map[string]bool{}
	for range 3 * blockSize {
		for _, f := range []*finder{&one, &another} {
			address, err := f.address()
			if err != nil {
				t.Fatal(err)
			}
			if given[address] {
				t.Fatalf("%s is given out twice", address)
			}
			given[address] = true
		}
	}
}
