# Completion of mqtt for bash 4 and later. What is offered comes from the program that is being typed.

_mqtt() {
    local IFS=$' \t\n' program kind prefix value line strip piece last rest word=''
    local -a words=() found=()

    # bash cuts words at = and :, and the program needs them whole.
    rest=${COMP_LINE:0:${COMP_POINT:-0}}
    last=$((COMP_CWORD))
    strip=''
    local index
    for ((index = 0; index <= last; index++)); do
        piece=${COMP_WORDS[index]}
        if [[ -z $COMP_LINE ]]; then
            words+=("$piece")
            continue
        fi
        if ((index == 0)) || [[ $rest == [[:space:]]* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            ((index == 0)) || words+=("$word")
            word=''
        fi
        ((index == last)) && { strip=$word piece=$rest; }
        word+=$piece
        rest=${rest#"$piece"}
    done
    [[ -z $COMP_LINE ]] || words+=("$word")
    # After one of these characters bash completes an empty word.
    [[ -n $strip && $piece == [=:@] ]] && strip+=$piece

    program=${words[0]/#\~/$HOME}
    type -P -- "$program" >/dev/null || program=mqtt
    {
        IFS= read -r kind
        IFS= read -r prefix
        IFS= read -r value
        while IFS= read -r line; do found+=("${line%%$'\t'*}"); done
    } < <(printf '%s\0' "${words[@]}" | "$program" __complete bash 2>/dev/null)

    COMPREPLY=()
    case $kind in
        words)
            for line in "${found[@]}"; do
                line=${line#"$strip"}
                # Behind an open quote only what would end it, or would be expanded, is quoted.
                if [[ $piece =~ ^\'[^\']*$ ]]; then
                    line=${line//"'"/"'\\''"}
                elif [[ $piece =~ ^\"([^\"\\]|\\.)*$ ]]; then
                    line=$(sed 's/[\\$`"]/\\&/g' <<<"$line")
                else
                    printf -v line %q "$line"
                fi
                COMPREPLY+=("$line")
            done
            if ((${#COMPREPLY[@]} == 1)) && [[ ${found[0]} == *[/=:] ]]; then
                compopt -o nospace 2>/dev/null
            fi
            ;;
        files | directories | hosts | commands)
            case $kind in
                files) kind=file ;;
                directories) kind=directory ;;
                hosts) kind=hostname ;;
                commands) kind=command ;;
            esac
            [[ $kind == file || $kind == directory ]] && compopt -o filenames 2>/dev/null
            while IFS= read -r line; do
                line=$prefix$line
                COMPREPLY+=("${line#"$strip"}")
            done < <(compgen -A "$kind" -- "$value")
            ;;
    esac
    return 0
}

complete -F _mqtt mqtt
