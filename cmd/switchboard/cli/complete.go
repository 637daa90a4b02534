package cli

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// The scripts ask "switchboard complete" for what may follow. They are our own, because the
// libraries for kong are unmaintained: kongplete does not build with kong 1, and the last tag of
// kong-completion is from 2022.
//
//go:embed completion
var scripts embed.FS

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"One of ${enum}."`
}

func (completionCommand) Help() string {
	return `Examples:

    source <(switchboard completion bash)     # in ~/.bashrc
    source <(switchboard completion zsh)      # in ~/.zshrc, after compinit
    switchboard completion fish | source      # in ~/.config/fish/config.fish`
}

func (c completionCommand) Run(s *Session) error {
	script, err := scripts.ReadFile("completion/switchboard." + c.Shell)
	if err != nil {
		return err
	}
	s.printf("%s", script)
	return nil
}

// completeCommand prints what may follow the words, one per line.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

func (c completeCommand) Run(s *Session, parsed *kong.Context) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, candidate := range complete(parsed.Model, words) {
		s.printf("%s\n", candidate)
	}
	return nil
}

// complete lists what the last word may become.
func complete(app *kong.Application, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	typed := words[len(words)-1]
	node := app.Node
	var valueOf *kong.Flag // the flag whose value comes next
	for _, word := range words[:len(words)-1] {
		switch {
		case word == "=": // bash splits --state=x into three words
		case valueOf != nil:
			valueOf = nil
		case strings.HasPrefix(word, "-"):
			if flag := findFlag(node, word); flag != nil && !flag.IsBool() {
				valueOf = flag
			}
		default:
			if child := findCommand(node, word); child != nil {
				node = child
			}
		}
	}
	if typed == "=" {
		typed = ""
	}
	if name, value, ok := strings.Cut(typed, "="); ok && strings.HasPrefix(name, "-") {
		if flag := findFlag(node, name); flag != nil {
			return prefixed(name+"=", matching(values(flag.Value), value))
		}
	}
	switch {
	case valueOf != nil:
		return matching(values(valueOf.Value), typed)
	case strings.HasPrefix(typed, "-"):
		return matching(flagNames(node), typed)
	case len(node.Children) > 0:
		return matching(commandNames(node), typed)
	case len(node.Positional) > 0:
		return matching(values(node.Positional[0]), typed)
	}
	return nil
}

func findCommand(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// findFlag finds a flag by its spelling. nil: there is none, or its value is already written.
func findFlag(node *kong.Node, word string) *kong.Flag {
	for _, flags := range node.AllFlags(false) {
		for _, flag := range flags {
			if word == "--"+flag.Name || flag.Short != 0 && word == "-"+string(flag.Short) {
				return flag
			}
		}
	}
	return nil
}

func flagNames(node *kong.Node) []string {
	var names []string
	for _, flags := range node.AllFlags(true) {
		for _, flag := range flags {
			if Applies(node, flag) {
				names = append(names, "--"+flag.Name)
			}
		}
	}
	return names
}

func commandNames(node *kong.Node) []string {
	var names []string
	for _, child := range node.Children {
		if !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return names
}

// values returns the possible values of a flag or argument if they are a closed list.
func values(v *kong.Value) []string {
	var list []string
	for _, value := range v.EnumSlice() {
		if value != "" {
			list = append(list, value)
		}
	}
	return list
}

func matching(candidates []string, typed string) []string {
	return slices.DeleteFunc(candidates, func(c string) bool { return !strings.HasPrefix(c, typed) })
}

func prefixed(prefix string, candidates []string) []string {
	for i := range candidates {
		candidates[i] = prefix + candidates[i]
	}
	return candidates
}

// Applies reports whether a flag of the whole command line applies to a command. Flags of a group
// apply to the commands of that group.
func Applies(node *kong.Node, flag *kong.Flag) bool {
	if flag.Group == nil {
		return true
	}
	for ; node != nil; node = node.Parent {
		if node.Group != nil {
			return node.Group.Key == flag.Group.Key
		}
	}
	return false
}

// Help prints the help of a command without the flags that do not apply to it.
func Help(options kong.HelpOptions, parsed *kong.Context) error {
	node := parsed.Selected()
	if node == nil {
		node = parsed.Model.Node
	}
	for _, flag := range parsed.Model.Flags {
		flag.Hidden = flag.Hidden || !Applies(node, flag)
	}
	if err := kong.DefaultHelpPrinter(options, parsed); err != nil {
		return fmt.Errorf("print the help: %w", err)
	}
	return nil
}
