package switchboard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/licensecheck"
)

// shippedProgram is the program of a release, for each of its platforms.
const shippedProgram = "./cmd/switchboard"

// platforms returns the platforms of a release, as in its script.
func platforms(t *testing.T) []string {
	t.Helper()
	found := regexp.MustCompile(`\{PLATFORMS:-([^}]+)\}`).FindStringSubmatch(readDocument(t, "deploy/release.sh"))
	if found == nil {
		t.Fatal("deploy/release.sh names no platforms")
	}
	return strings.Fields(found[1])
}

// allowedLicences are the licences that parts of a shipped binary may have: permissive ones, and
// the MPL, which asks only for the source of the files that it covers.
var allowedLicences = []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// shippedAssets are the works of others that the binary serves, with the files of their licences.
var shippedAssets = map[string][]string{
	"htmx":            {"console/assets/htmx-LICENSE.txt"},
	"uPlot":           {"console/assets/uplot-LICENSE.txt"},
	"swagger-ui-dist": {"api/rest/docs/LICENSE", "api/rest/docs/NOTICE", "api/rest/docs/swagger-ui-bundle.js.LICENSE.txt"},
}

// unlicensed are modules that state no licence, in the version that a person has checked, with the
// finding.
var unlicensed = map[string]struct{ version, found string }{
	"github.com/nexus-rpc/nexus-proto-annotations": {"v0.1.0", `the only version on 2026-11-29. go.temporal.io/api imports it: code generated from one
    file of options of protocol buffers, which its buf.yaml calls
    buf.build/temporalio/nexus-annotations. Code generated from the same definitions is in
    go.temporal.io/api/nexusannotations, under the MIT licence of Temporal Technologies Inc.`},
}

// TestNotice: NOTICE has the licences of everything in the shipped binaries, and each is allowed.
// `make notice` writes it.
func TestNotice(t *testing.T) {
	t.Parallel()
	works := shippedModules(t)
	maps.Copy(works, shippedAssets)
	want := noticeOf(t, works)
	if t.Failed() {
		return
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile("NOTICE", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(want, readDocument(t, "NOTICE")); diff != "" {
		t.Errorf("what is linked (-) and NOTICE (+) differ; `make notice` writes it:\n%s", diff)
	}
}

// noticeOf writes the document: the works with their licences, and each text once.
func noticeOf(t *testing.T, works map[string][]string) string {
	t.Helper()
	var list, without strings.Builder
	users := map[string][]string{} // by text
	for _, work := range slices.Sorted(maps.Keys(works)) {
		var licences []string
		for _, file := range works[work] {
			text := strings.TrimSpace(strings.ReplaceAll(readDocument(t, file), "\r\n", "\n"))
			found, err := licencesIn(text)
			if err != nil {
				t.Errorf("%s: %s: %v", work, file, err)
			}
			licences = append(licences, found...)
			users[text] = append(users[text], work)
		}
		slices.Sort(licences)
		module, known := unlicensed[work]
		if known == (len(licences) > 0) {
			t.Errorf("%s: the licences in %q are %q, and the list of those without one has it: %v", work, works[work], licences, known)
		}
		if known {
			fmt.Fprintf(&without, "\n  %s %s:\n    %s\n", work, module.version, module.found)
			continue
		}
		fmt.Fprintf(&list, "  %s: %s\n", work, strings.Join(slices.Compact(licences), ", "))
	}
	var texts strings.Builder
	for _, text := range slices.SortedFunc(maps.Keys(users), func(a, b string) int {
		return strings.Compare(users[a][0]+a, users[b][0]+b)
	}) {
		fmt.Fprintf(&texts, "\n%s\n\n  %s\n\n%s\n", strings.Repeat("=", 80), strings.Join(slices.Compact(users[text]), "\n  "), text)
	}
	return "Switchboard\nCopyright 2026 The Switchboard authors\n\n" +
		"Switchboard is licensed under the Apache License, Version 2.0: see LICENSE.\n\n" +
		"Its binaries contain the works of others that follow, each with its licence. The source of\n" +
		"each module is where its name says. Below the lists are the texts of their licences and notices.\n\n" +
		list.String() +
		"\nThey also contain what states no licence of its own. Whoever passes them on should know it:\n" +
		without.String() + texts.String()
}

// licencesIn returns the licences that a text states. One that is not allowed is an error.
func licencesIn(text string) (ids []string, err error) {
	for _, match := range licensecheck.Scan([]byte(text)).Match {
		if !slices.Contains(allowedLicences, match.ID) {
			return nil, fmt.Errorf("it has the licence %s, which is none of %s", match.ID, strings.Join(allowedLicences, ", "))
		}
		ids = append(ids, match.ID)
	}
	return ids, nil
}

// TestLicences: a licence that is not allowed is detected.
func TestLicences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, says string }{
		{readDocument(t, "LICENSE"), ""},
		{"This program is free software: you can redistribute it and/or modify it under the terms of the GNU Affero General Public License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.", "AGPL-3.0"},
		{"This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later version.", "GPL-2.0"},
		{"See https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0"},
	} {
		if _, err := licencesIn(c.text); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.60q: %v, want %q", c.text, err, c.says)
		}
	}
}

// shippedModules returns the modules that are linked into a binary, and the Go runtime, each with
// the files of its licence: those beside the linked packages, and above them in the module.
func shippedModules(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, platform := range platforms(t) {
		system, machine, _ := strings.Cut(platform, "/")
		for _, p := range listPackages(t, system, machine) {
			switch {
			case p.Standard:
				found["The Go runtime and standard library"] = licenceFiles(t, p.Root, p.Root)
			case !p.Module.Main:
				if looked, known := unlicensed[p.Module.Path]; known && looked.version != p.Module.Version {
					t.Errorf("%s: %s stated no licence; look whether %s does", p.Module.Path, looked.version, p.Module.Version)
				}
				found[p.Module.Path] = append(found[p.Module.Path], licenceFiles(t, p.Dir, p.Module.Dir)...)
			}
		}
	}
	for name, files := range found {
		slices.Sort(files)
		found[name] = slices.Compact(files)
	}
	if len(found) < 30 {
		t.Fatalf("%d modules only: the test does not see what is linked", len(found))
	}
	return found
}

// listedPackage is the go command's description of a package.
type listedPackage struct {
	Dir, Root string
	Standard  bool
	Module    struct {
		Path, Version, Dir string
		Main               bool
	}
}

func listPackages(t *testing.T, system, machine string) []listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Root,Standard,Module", shippedProgram)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+machine)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	var packages []listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// licenceFile matches the names of files with licences and notices.
var licenceFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice|copyright)([-._].*)?$`)

// licenceFiles returns the files of licences in a folder, and in those above it up to a root.
func licenceFiles(t *testing.T, dir, root string) []string {
	t.Helper()
	var files []string
	for {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Type().IsRegular() && licenceFile.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
		if dir == root || !strings.HasPrefix(dir, root) {
			return files
		}
		dir = filepath.Dir(dir)
	}
}
