# What scripts are called with. For common.bash, which sources it.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # scripts use what is set here, and common.bash sets the rest

# What an empty value is where one is needed: of a variable that was not set, mostly.
#
# has_value OPTION [VALUE]
has_value() {
    [ $# -ge 2 ] || fail 2 "'$1' lacks its value ($name --help)"
    [ -n "$2" ] || fail 2 "$1: the value is empty ($name --help)"
}

# has_operands OPERAND...
has_operands() {
    local number
    for ((number = 1; number <= $#; number++)); do
        [ -n "${!number}" ] || fail 2 "operand $number is empty ($name --help)"
    done
}

# as_path NAME: the name of a file, into `path`, as nothing takes it for anything else: programs for an option (-x), awk for an
# assignment (x=1).
as_path() {
    case $1 in
    -* | [A-Za-z_]*=*) path=./$1 ;;
    *) path=$1 ;;
    esac
}

# take_operands MOST ARGUMENT...: the first ones, so many at most, into `operands`, as paths; what is behind them into `arguments`.
# Where one begins with a dash `--` must stand before them all, and may always.
take_operands() {
    local most=$1 dashes=''
    shift
    operands=()
    [ "${1-}" != -- ] || { dashes=1 && shift; }
    while [ $# -gt 0 ] && [ ${#operands[@]} -lt "$most" ]; do
        [[ -n $dashes || $1 != -?* ]] || break
        as_path "$1"
        operands+=("$path")
        shift
    done
    arguments=("$@")
}
