# Sourced: the deployment's name, the file of its secrets and settings, and `compose`, by whichever of Docker's two commands there is.
export ISE_DEPLOYMENT=${ISE_DEPLOYMENT:-ise}
env=$ISE_DEPLOYMENT.env

# setting NAME: what the environment or the file says, without a comment behind it
setting() { printenv "$1" || sed -n "s/^$1=//p" "$env" 2>/dev/null | sed 's/[[:space:]]\+#.*$//; s/[[:space:]]*$//' | tail -n 1; }
files=(-f compose.yaml)
[ -z "$(setting ISE_HEAD)" ] || files+=(-f hosts.yaml)
if docker compose version >/dev/null 2>&1; then
    compose() { docker compose -p "$ISE_DEPLOYMENT" --env-file "$env" "${files[@]}" "$@"; }
elif command -v docker-compose >/dev/null; then
    compose() { docker-compose -p "$ISE_DEPLOYMENT" --env-file "$env" "${files[@]}" "$@"; }
else
    echo "Docker's compose is missing. Install it: sudo apt-get install docker-compose (Debian), docker-compose-v2 (Ubuntu)" >&2
    exit 1
fi
