package switchboard

import (
	"regexp"
	"regexp/syntax"
)

// CompileRegexp compiles a regular expression in RE2's syntax, which never backtracks. It also
// returns the number of its instructions: matching takes at most that many steps for each byte of a
// text. Repetitions are unfolded: [a-z]{36} has about 40.
func CompileRegexp(expression string) (compiled *regexp.Regexp, instructions int, err error) {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, 0, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, 0, err
	}
	compiled, err = regexp.Compile(expression)
	return compiled, len(program.Inst), err
}
