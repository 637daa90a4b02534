# Completion of switchboard for zsh.
_switchboard() {
    local -a found
    found=(${(f)"$(switchboard complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then
        compadd -a found
    else
        _files
    fi
}
compdef _switchboard switchboard
