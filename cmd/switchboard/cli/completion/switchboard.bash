# Completion of switchboard for bash.
_switchboard() {
    local IFS=$'\n'
    COMPREPLY=($(switchboard complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _switchboard switchboard
