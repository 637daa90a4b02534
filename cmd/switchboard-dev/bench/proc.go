package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: USER_HZ, which is 100 on every platform that Go and Linux
// have in common.
const tick = 10 * time.Millisecond

// procStat is the part of /proc/PID/stat that we need.
type procStat struct {
	pid, parent int
	cpu         time.Duration // of the process itself, user and system
	reaped      time.Duration // of its children that have ended and were waited for
}

// parseStat parses a line of /proc/PID/stat. The program's name in it may contain blanks and
// brackets, so the fields are counted from its last bracket.
func parseStat(line string) (procStat, error) {
	head, rest := cutLast(line, ")")
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(head, "(", 2)[0]))
	fields := strings.Fields(rest)
	if err != nil || len(fields) < 15 {
		return procStat{}, fmt.Errorf("not a line of /proc/PID/stat: %q", line)
	}
	s := procStat{pid: pid}
	var ticks [4]int64 // utime, stime, cutime, cstime: fields 14 to 17 of the line
	for i := range ticks {
		n, err := strconv.ParseInt(fields[11+i], 10, 64)
		if err != nil {
			return procStat{}, fmt.Errorf("not a line of /proc/PID/stat: %q", line)
		}
		ticks[i] = n
	}
	if s.parent, err = strconv.Atoi(fields[1]); err != nil {
		return procStat{}, fmt.Errorf("not a line of /proc/PID/stat: %q", line)
	}
	s.cpu, s.reaped = time.Duration(ticks[0]+ticks[1])*tick, time.Duration(ticks[2]+ticks[3])*tick
	return s, nil
}

// cutLast cuts s around the last sep; without one, after is empty.
func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+len(sep):]
}

func readStat(pid int) (procStat, error) {
	line, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(string(line))
}

func procPath(pid int, file string) string { return fmt.Sprintf("/proc/%d/%s", pid, file) }

// everyStat reads the stat of every process.
func everyStat() ([]procStat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []procStat
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// gone reports whether a file of /proc could not be read because its process has ended, before the
// file was opened or before it was read.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such process")
}

// family returns the process and all its descendants.
func family(all []procStat, root int) []procStat {
	children := map[int][]procStat{}
	var found []procStat
	for _, s := range all {
		children[s.parent] = append(children[s.parent], s)
		if s.pid == root {
			found = append(found, s)
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

// familyCPU returns what a process and its descendants have used, including ended ones, which are
// in their parent's account.
func familyCPU(members []procStat) time.Duration {
	var sum time.Duration
	for _, s := range members {
		sum += s.cpu + s.reaped
	}
	return sum
}

// parseBusy reads from /proc/stat how long all cores together were not idle.
func parseBusy(text []byte) (time.Duration, error) {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(first)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("not the first line of /proc/stat: %q", first)
	}
	var busy int64
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("not the first line of /proc/stat: %q", first)
		}
		if i != 3 && i != 4 {
			busy += n
		}
	}
	return time.Duration(busy) * tick, nil
}

// memory is the memory of a process, or of a family of processes, in KiB.
type memory struct {
	RSS  int64 `json:"rss_kib"`  // resident, with shared pages counted in full
	PSS  int64 `json:"pss_kib"`  // resident, with shared pages divided among the processes that share them
	Peak int64 `json:"peak_kib"` // the highest RSS so far; for a family, the sum of its members' peaks
}

// memoryOf adds up the memory of the processes.
func memoryOf(members []procStat) (memory, error) {
	var sum memory
	for _, s := range members {
		m, err := readMemory(s.pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return memory{}, err
		}
		sum.RSS, sum.PSS, sum.Peak = sum.RSS+m.RSS, sum.PSS+m.PSS, sum.Peak+m.Peak
	}
	return sum, nil
}

func readMemory(pid int) (memory, error) {
	status, err := os.ReadFile(procPath(pid, "status"))
	if err != nil {
		return memory{}, err
	}
	rollup, err := os.ReadFile(procPath(pid, "smaps_rollup"))
	if err != nil {
		return memory{}, err
	}
	return parseMemory(status, rollup)
}

// parseMemory parses /proc/PID/status and /proc/PID/smaps_rollup.
func parseMemory(status, rollup []byte) (memory, error) {
	var m memory
	var errs [3]error
	m.RSS, errs[0] = kib(status, "VmRSS:")
	m.Peak, errs[1] = kib(status, "VmHWM:")
	m.PSS, errs[2] = kib(rollup, "Pss:")
	return m, errors.Join(errs[:]...)
}

// kib finds a line such as "VmRSS:   1234 kB".
func kib(text []byte, name string) (int64, error) {
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == name && string(fields[2]) == "kB" {
			return strconv.ParseInt(string(fields[1]), 10, 64)
		}
	}
	return 0, fmt.Errorf("no line %q", name)
}

// forgetPeak resets the peak of a process to its current memory.
func forgetPeak(pid int) error {
	return os.WriteFile(procPath(pid, "clear_refs"), []byte("5"), 0)
}
