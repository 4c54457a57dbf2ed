# `nix-build packaging` in a clone; `--argstr program mqtt-rs` where another program is called mqtt.
{
  pkgs ? import <nixpkgs> { },
  program ? "mqtt",
}:

pkgs.rustPlatform.buildRustPackage {
  pname = "mqtt";
  version = "0.1.0";

  src = pkgs.lib.cleanSource ../.;
  cargoLock.lockFile = ../Cargo.lock;

  nativeBuildInputs = [ pkgs.installShellFiles ];

  # As .cargo/config.toml has it, which a build outside of a clone does not read.
  env.AWS_LC_SYS_NO_JITTER_ENTROPY = "1";

  # The tests of the program need mosquitto, jq, shells and the loopback device.
  cargoTestFlags = [ "--lib" ];

  postInstall = ''
    installManPage man/*.1
    installShellCompletion --cmd mqtt \
      --bash completions/mqtt.bash --zsh completions/_mqtt --fish completions/mqtt.fish
  '' + pkgs.lib.optionalString (program != "mqtt") ''
    mv $out/bin/mqtt $out/bin/${program}
  '';

  meta = {
    description = "Command line for MQTT: publish, subscribe, request, load-test and repair";
    # OWNER is to be set before a release (docs/install.md).
    homepage = "https://github.com/OWNER/mqtt";
    license = with pkgs.lib.licenses; [ mit asl20 ];
    mainProgram = program;
    platforms = pkgs.lib.platforms.unix;
  };
}
