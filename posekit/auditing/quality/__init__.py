"""How good an audit is: by planted errors, beside baselines, and by eye."""
