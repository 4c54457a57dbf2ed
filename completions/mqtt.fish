# Completion of mqtt for fish. What is offered comes from the program that is being typed.

function __mqtt_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    type -q -- $program; or set program mqtt
    set -l lines (printf '%s\0' $words "$current" | $program __complete fish 2>/dev/null)
    set -l prefix $lines[2]
    set -l value $lines[3]
    switch "$lines[1]"
        case words
            test (count $lines) -gt 3; and printf '%s\n' $lines[4..-1]
        case files
            for path in (__fish_complete_path "$value")
                printf '%s\n' "$prefix$path"
            end
        case directories
            for path in (__fish_complete_directories "$value")
                printf '%s\n' "$prefix$path"
            end
        case hosts
            # fish leaves this machine out.
            for host in localhost (__fish_print_hostnames)
                printf '%s\n' "$prefix$host"
            end
        case commands
            complete -C "$value"
    end
end

complete -c mqtt -e
complete -c mqtt -f -a '(__mqtt_complete)'
