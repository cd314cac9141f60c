use std::process::ExitCode;

fn main() -> ExitCode {
    fidelio_bitrix24::app::cli::main()
}
